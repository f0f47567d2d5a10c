from tests.pages.conftest import Site


def test_x(site: Site):
    import re

    c = site.club
    for p in [
        "/pages/clubs",
        "/pages/findings",
        "/pages/holds",
        "/pages/why",
        "/pages/airflow?dag=a&run=b",
        f"/pages/clubs/{c.id}",
        f"/pages/clubs/{c.id}/groups",
        f"/pages/clubs/{c.id}/runs",
        f"/pages/clubs/{c.id}/findings",
        f"/pages/clubs/{c.id}/similar",
        f"/pages/clubs/{c.id}/requests",
        f"/pages/clubs/{c.id}/person?erp_id=2",
    ]:
        for r in ("viewer", "admin"):
            a = site.as_(r).get(p)
            print(r, p, a.status_code, len(a.text))
            if a.status_code != 200:
                print(a.text[-1500:])
    a = site.as_("viewer").get("/api/v1/clubs")
    print(a.json())
    a = site.program("support").post(f"/api/v1/clubs/{c.id}/why/shown", json={"who": "ben"})
    print(a.json())
