"""R3: words are compared in one form everywhere."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest

from connectors.sdk import words

SPELLINGS = [
    ("Activé", unicodedata.normalize("NFD", "Activé")),
    ("en cours", "En\u00a0cours"),
    ("en cours", " EN  \t cours\u202f"),
    ("en cours", "en\u00ad cours"),
    ("résilié", "R\u00c9SILI\u00c9"),
    ("adhérent", "adhe\u0301\u200brent\ufeff"),
    ("straße", "STRASSE"),
    ("ancien membre", "ａｎｃｉｅｎ　ｍｅｍｂｒｅ"),
    ("fini", "\ufb01ni"),
]


@pytest.mark.parametrize(("one", "other"), SPELLINGS)
def test_r03_spellings_of_one_word(one: str, other: str) -> None:
    """ "NFKC, format characters removed, white space runs as one blank, case-folded"; one text, and a column."""
    assert words.word(one) == words.word(other)
    assert words.keys(pl.Series([one, other, None, " \u00ad"])).to_list() == [
        words.word(one),
        words.word(one),
        None,
        None,
    ]
    assert words.word(words.word(other)) == words.word(other)


def test_different_words_stay_different() -> None:
    assert len({words.word(w) for w in ("membre", "membré", "ancien membre", "ancienmembre")}) == 4


def test_the_usual_lists_agree() -> None:
    """No usual word says both, and no word that is unclear (a pause, a reminder) says either."""
    assert words.in_two({"yes": words.ACTIVE_WORDS, "no": words.INACTIVE_WORDS}) == []
    assert words.in_two({"yes": words.TRUE_WORDS, "no": words.UNUSED_WORDS}) == []
    usual = words.meanings({"active": words.ACTIVE_WORDS, "former": words.INACTIVE_WORDS})
    for unclear in ("en pause", "suspendu", "en attente", "pending", "à relancer", "impayé", "?"):
        assert words.word(unclear) not in usual


def test_truth_knows_a_third_answer() -> None:
    cells = pl.Series("c", ["Oui", "nein", "archivé", "vielleicht", "", None])
    found = cells.to_frame().select(words.truth(pl.col("c"), false=words.UNUSED_WORDS)).to_series()
    assert found.to_list() == [True, False, False, None, None, None]
    assert [words.truth_of(c, false=words.UNUSED_WORDS) for c in cells] == found.to_list()


def test_yaml_reads_some_words_as_something_else() -> None:
    assert words.words_of([True, 1, "Oui"]) == ("true", "yes", "on", "1", "Oui")
    assert words.words_of("en cours") == ("en cours",)
    assert words.words_of(None) == ()


def test_names_are_split_but_where_they_are_one() -> None:
    whole = words.words(["Anciens, résiliés", "Yoga|Pilates"])
    split = {
        "Gold, Silver": ["Gold", "Silver"],
        "anciens,  RÉSILIÉS": ["anciens,  RÉSILIÉS"],
        "Gold; Anciens, résiliés ;Silver": ["Gold", "Anciens, résiliés", "Silver"],
        "Anciens, Gold": ["Anciens", "Gold"],
        "Yoga|Pilates,Gold,Gold": ["Yoga|Pilates", "Gold"],
        " , ": [],
    }
    assert {cell: words.split_names(cell, "|;,", whole) for cell in split} == split


def test_one_group_has_one_spelling() -> None:
    """The most frequent one, whatever the order of the rows; without what nobody sees."""
    cells = ["gold", "Gold", " GOLD", "Go\u00adld", "Silver\u00a0plus", None, " "]
    expected = ["Gold", "Gold", "Gold", "Gold", "Silver plus", None, None]
    assert words.spellings(pl.Series(cells)).to_list() == expected
    assert words.spellings(pl.Series(cells[::-1])).to_list() == expected[::-1]
    assert words.spellings(pl.Series([], dtype=pl.String)).to_list() == []
