// What the server cannot do: follow Airflow's theme and language, keys, and links out of Airflow's frame.
(() => {
  "use strict";
  const root = document.documentElement;

  const theme = () => {
    const kept = localStorage.getItem("theme") || "system";
    const dark = kept === "dark" || (kept === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = dark ? "dark" : "light";
  };
  theme();
  addEventListener("storage", (event) => {
    if (event.key === "theme") theme();
    if (event.key === "i18nextLng") language();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);

  // Airflow's language, handed to the server in a cookie. A language that is not ours is English.
  const language = () => {
    const kept = localStorage.getItem("i18nextLng");
    if (!kept) return;
    const wanted = kept.startsWith("fr") ? "fr" : "en";
    if (wanted === root.lang) return;
    if (document.cookie.includes(`clubsync_language=${wanted}`)) return;
    document.cookie = `clubsync_language=${wanted}; path=/; samesite=lax`;
    // a page that a form led to is not asked for again
    const [entry] = performance.getEntriesByType("navigation");
    if (!entry || entry.type !== "reload") location.replace(location.href);
  };
  language();

  const typing = (element) => element.closest("input, textarea, select") !== null;

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "/") {
      const box = document.getElementById("who");
      if (box) { event.preventDefault(); box.focus(); box.select(); }
    } else if (event.key === "j" || event.key === "k") {
      const rows = [...document.querySelectorAll("[data-row]")];
      const here = rows.findIndex((row) => row.contains(document.activeElement));
      const next = rows[here === -1 ? 0 : here + (event.key === "j" ? 1 : -1)];
      const target = next && (next.querySelector("a") || next);
      if (target) { event.preventDefault(); target.focus(); target.scrollIntoView({ block: "nearest" }); }
    }
  });

  // A list is filtered by what was typed before htmx listened, or kept by the browser over a reload.
  addEventListener("load", () => {
    for (const box of document.querySelectorAll("form[hx-get] input[type=search]"))
      if (box.value !== box.defaultValue) box.form.requestSubmit();
  });

  // Airflow shows these pages in a frame that may not lead its window elsewhere: its own page does.
  addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow-link]");
    if (!link || window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const outer = window.parent.document.createElement("a");
    outer.href = link.href;
    window.parent.document.body.append(outer);
    outer.click();
    outer.remove();
  });

  // A form is sent once, however often its button is pressed.
  addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.action.endsWith(".csv")) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    form.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) for (const form of document.forms) { delete form.dataset.sent; form.removeAttribute("aria-busy"); }
  });
})();
