"""The suites of `expectations/`: whole, worded, and given nothing of a person (R19, R22)."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import great_expectations as gx
import polars as pl
import pytest

from clubsync import model
from clubsync.i18n import translations
from clubsync.model import Policy
from clubsync.store.snapshots import prepare
from clubsync.validate import facts, suites
from connectors.sdk.model import GROUP_REF
from tests.support.club import Erp

#: R22
CODES = {
    "EMAIL_MISSING",
    "EMAIL_INVALID",
    "EMAIL_PLACEHOLDER",
    "EMAIL_DUPLICATE",
    "EMAIL_SHARED_FAMILY",
    "EMAIL_MISMATCH_APP",
    "GROUP_INACTIVE",
    "GROUP_FORMER",
    "DETACHED",
    "GROUP_UNKNOWN",
    "STATUS_UNKNOWN",
    "DATE_UNREADABLE",
    "FIELD_MISSING",
    "PLACEHOLDER_RECORD",
    "RECORD_MERGED",
    "SIMILAR_RECORD",
    "ID_DUPLICATE",
    "ID_MISSING",
    "ID_REUSED",
    "UNDONE",
}
POLICY = Policy(today=date(2026, 3, 2), former_groups=frozenset({"ex"}))


def expectations() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = suites.definitions()["expectations"]
    return found


def metas() -> list[dict[str, Any]]:
    """Of every expectation, and of every finding that only the base can tell."""
    text = (suites.EXPECTATIONS / "base.json").read_text(encoding="utf-8")
    return [e["meta"] for e in expectations()] + [
        {"code": code, **meta} for code, meta in json.loads(text)["findings"].items()
    ]


def translated(text: str, language: str) -> str:
    return translations(language).gettext(text)


@pytest.mark.parametrize("meta", metas(), ids=lambda m: f"{m['code']}-{m['severity']}")
def test_every_meta_names_code_severity_and_advice(meta: dict[str, Any]) -> None:
    """In both languages, as sentences, with placeholders that are filled and none that are not."""
    assert meta["code"] in CODES
    assert meta["severity"] in ("error", "warning", "info")
    for about, english in {None: meta["advice"], **meta.get("about", {})}.items():
        for language in ("en", "fr"):
            assert len(translated(english, language).split()) > 5
            names = ["others", "groups", "owner", "successor", "row", "word", "words", "fields"]
            names.append("holder")
            detail = {name: ["7", "8"] for name in names} | {"about": about}
            text = suites.advice(meta["code"], meta["severity"], detail, language)
            assert "{" not in text
            assert text[-1] == "."
            assert ("7, 8" in text) == ("{" in english.replace("{reasons}", ""))
        assert translated(english, "fr") != english
        assert ("{" in english) == ("{" in translated(english, "fr"))


def test_every_code_of_the_rules_has_wording() -> None:
    assert {code for code, _, _ in suites.wording()} == CODES


def test_they_are_great_expectations_own() -> None:
    """Each is an expectation that the library itself takes, none is made up."""
    for expectation in expectations():
        name = "".join(part.title() for part in expectation["type"].split("_"))
        made = getattr(gx.expectations, name)(**expectation["kwargs"], meta=expectation["meta"])
        assert made.meta["code"] in CODES


def evaluated() -> pl.DataFrame:
    """Records with everything that can be wrong with one."""
    erp = Erp()
    erp.group("gold")
    erp.group("off", active=False)
    erp.group("ex")
    erp.put("1", "zoe@x.fr", first_name="Zoe", phone="+33600000001")
    erp.put("2", "Zoe@x.fr", first_name="Zoe")
    erp.put("3", None, groups=["off"])
    erp.put("4", "zoe at x", groups=["nowhere"])
    erp.put("5", None, guardian_id="1")
    erp.put("6", "six@x.fr", status="unknown", first_name=None, last_name=None)
    erp.put("7", "seven@x.fr", groups=["ex"])
    erp.put("8", "eight@x.fr", replaced_by="1")
    erp.put("9", "nine@x.fr", placeholder=True)
    erp.put("10", "ten@x.fr", groups=["gold"])
    erp.put("11", None, status="archived")
    reading = erp.reading()
    customers, _ = prepare(reading)
    nothing = pl.lit(None, dtype=pl.List(GROUP_REF))
    records = customers.with_columns(
        presence=pl.lit(model.SEEN), m_groups=nothing, m_remembered=nothing
    )
    return facts.evaluate(records, reading.groups, POLICY)


def test_each_record_fails_what_is_wrong_with_it() -> None:
    """One run for two clubs; codes by record, severity and detail as the sentences need them."""
    found = suites.findings({"one": (evaluated(), POLICY), "two": (evaluated().head(0), POLICY)})
    assert found["two"].is_empty()
    rows = {
        (r["erp_id"], r["code"]): (r["severity"], json.loads(r["detail"]))
        for r in found["one"].to_dicts()
    }
    assert rows == {
        ("1", "EMAIL_DUPLICATE"): ("error", {"others": ["2"]}),
        ("2", "EMAIL_DUPLICATE"): ("error", {"others": ["1"]}),
        ("3", "EMAIL_MISSING"): ("error", {}),
        ("3", "GROUP_INACTIVE"): ("error", {"groups": ["off"]}),
        ("4", "EMAIL_INVALID"): ("error", {}),
        ("4", "GROUP_UNKNOWN"): ("warning", {"groups": ["nowhere"]}),
        ("5", "EMAIL_SHARED_FAMILY"): ("info", {"owner": "1"}),
        ("6", "STATUS_UNKNOWN"): ("warning", {}),
        ("6", "FIELD_MISSING"): ("warning", {}),
        ("7", "GROUP_FORMER"): ("info", {"groups": ["ex"]}),
        ("8", "RECORD_MERGED"): ("info", {"successor": "1"}),
        ("9", "PLACEHOLDER_RECORD"): ("info", {}),
    }


def test_what_comes_back_holds_no_value() -> None:
    """Neither what goes in nor what comes out tells a name, an email or a phone."""
    records = evaluated()
    texts = [
        suites.derived(records, POLICY).write_json(),
        suites.findings({"one": (records, POLICY)})["one"].write_json(),
    ]
    for text in texts:
        assert "erp_id" in text
        for secret in ("zoe", "x.fr", "+336", "First", "Last"):
            assert secret.lower() not in text.lower()


def test_an_expectation_that_cannot_be_judged_stops_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rule that is broken must not read as a rule that nobody breaks."""
    broken = json.loads(json.dumps(suites.definitions()))
    broken["expectations"][0]["kwargs"]["column"] = "no_such_column"
    monkeypatch.setattr(suites, "definitions", lambda: broken)
    with pytest.raises(RuntimeError, match="could not be evaluated"):
        suites.findings({"one": (evaluated(), POLICY)})


def test_a_combination_of_facts_is_evaluated_once_in_a_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever else is in the run; once more where the suite is another."""
    records, asked = evaluated(), list[int]()
    plain = suites._expect

    def expect(rows: pl.DataFrame) -> pl.DataFrame:
        asked.append(rows.height)
        return plain(rows)

    monkeypatch.setattr(suites, "_expect", expect)
    suites.forget()
    part = records.filter(pl.col("erp_id").is_in(["1", "2", "10"]))
    few = suites.findings({"one": (part, POLICY)})["one"]
    whole = suites.findings({"one": (records, POLICY), "two": (part, POLICY)})
    combinations = suites.derived(records, POLICY).drop("erp_id").n_unique()
    assert sum(asked) == combinations
    assert whole["two"].equals(few)
    again = suites.findings({"one": (records.reverse(), POLICY)})["one"]
    assert again.sort("erp_id", "code").equals(whole["one"].sort("erp_id", "code"))
    assert sum(asked) == combinations

    softer = json.loads(json.dumps(suites.definitions()))
    for expectation in softer["expectations"]:
        expectation["meta"]["severity"] = "info"
    monkeypatch.setattr(suites, "definitions", lambda: softer)
    found = suites.findings({"one": (records, POLICY)})["one"]
    assert set(found["severity"]) == {"info"}
    assert sum(asked) == 2 * combinations


def test_the_suites_lie_where_the_program_looks() -> None:
    assert {p.name for p in Path(suites.EXPECTATIONS).glob("*.json")} >= {
        "base.json",
        "customers.json",
    }
