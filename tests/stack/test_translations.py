"""Everything that is said is in the French catalogue, and stored messages are found in it."""

from __future__ import annotations

import ast
import re

import pytest

from clubsync.i18n import MESSAGE, Messages
from stack import translations


def texts(*, messages: bool) -> dict[str | tuple[str, ...], translations.Text]:
    found = {
        text.id: text for text in translations.collect() if (text.context == MESSAGE) == messages
    }
    assert len(found) > 150
    return found


def places(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s|\{\w+\}", text))


@pytest.mark.parametrize("context", [None, MESSAGE])
def test_every_text_is_translated(context: str | None) -> None:
    """What is said is translated, with the same places to fill; and nothing that is not said any more."""
    catalogue = translations.read("fr")
    said = texts(messages=context == MESSAGE)
    for text in said:
        entry = catalogue.get(text, context)
        assert entry is not None, text
        assert not entry.fuzzy, text
        told = [entry.string] if isinstance(entry.string, str) else list(entry.string or [""])
        assert all(told), text
        wanted = places(text if isinstance(text, str) else text[1])
        assert places(told[-1]) == wanted, text
        assert places(told[0]) <= wanted, text  # of one, the number need not be said
    ids = {e.id for e in catalogue if e.id and e.context == context}
    assert ids == set(said)


@pytest.mark.parametrize(
    ("code", "templates"),
    [
        ('Stopped("Plain.")', ["Plain."]),
        ('Stopped(f"{club} has {n} files.", remedy="Wait.")', ["{0} has {1} files.", "Wait."]),
        ('doubts.append(f\'{n} row{"s" if n > 1 else ""}.\')', ["{0} rows.", "{0} row."]),
        ('message("group {group} inactive")', ["group {0} inactive"]),
        ('NONE = "No rows"\nmessage(f"{NONE} of {n}")', ["No rows of {0}"]),
        ('Stopped("a " + f"{b}", status=404)', ["a {0}"]),
        ("class Other(Stopped):\n    default_remedy = 'Ask.'", ["Ask."]),
        ('print("not a message")', []),
    ],
)
def test_messages_are_found_in_code(code: str, templates: list[str]) -> None:
    tree = ast.parse(f"class Stopped(SyncError): pass\n{code}")
    errors = translations.error_classes([tree])
    found = [
        text.id
        for node in translations.said(tree, errors)
        for text in translations.texts_of(node, "x.py", translations.constants(tree))
    ]
    assert found == templates


def test_the_classes_whose_arguments_are_messages_exist() -> None:
    """One that was renamed would take all its messages out of the catalogue."""
    defined = {
        node.name
        for package in translations.PACKAGES
        for path in (translations.ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    assert defined >= translations.ERRORS


@pytest.mark.parametrize(
    ("said", "french"),
    [
        (
            "c.yaml, line 6, club a: every: write a duration like 5m, 1h or 1d.",
            "c.yaml, ligne 6, club a : every : écrivez une durée comme 5m, 1h ou 1d.",
        ),
        (
            "c.yaml, line 5, club d: connection is required; c.yaml, line 6, club d: unknown setting `evry`; "
            "did you mean `every`?.",
            "c.yaml, ligne 5, club d : connection est obligatoire ; c.yaml, ligne 6, club d : réglage inconnu "
            "`evry` ; vouliez-vous dire `every` ?.",
        ),
        (
            "Club a: settings.fields.id: 'x[' is not a valid path: bad; Club a: settings: rows is required.",
            "Club a : settings.fields.id : 'x[' n'est pas un chemin valide : bad ; Club a : settings : rows est "
            "obligatoire.",
        ),
        ("changed since: ERP groups; first name", "modifié depuis : groupes du logiciel ; prénom"),
        (
            "3 files, newest c.csv of 2026-11-21 12:00 UTC, 9 kB. Groups: 1 file g.csv of 2026-11-21 12:00 UTC, 1 kB.",
            "3 fichiers, le plus récent : c.csv du 21 novembre 2026, 12:00, 9 ko. Groupes : 1 fichier : g.csv du "
            "21 novembre 2026, 12:00, 1 ko.",
        ),
        (
            "No record has e (settings: fields.email); the first one is a list of 3 objects with a, b.",
            "Aucune fiche ne contient e (settings: fields.email) ; la première est une liste de 3 objets avec a, b.",
        ),
        ("status paused in the ERP: 3 customers", "statut en pause dans le logiciel : 3 clients"),
    ],
)
def test_values_and_lists_within_messages_are_translated(said: str, french: str) -> None:
    """A message within a message, and several with semicolons between them."""
    assert Messages("fr").translate(said).replace("\xa0", " ").replace("\u202f", " ") == french


def test_an_erp_without_a_name_is_told_in_the_readers_language() -> None:
    """What was asked stands inside other messages."""
    told = Messages("fr").translate("The ERP (GET /people) failed with a server error (HTTP 503).")
    assert told == "Le logiciel (GET /people) a échoué avec une erreur de serveur (HTTP 503)."
