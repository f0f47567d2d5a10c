"""R23: a few pairs are weighed one by one; what comes of it is what weighing many at once gives."""

from __future__ import annotations

from datetime import date
from itertools import combinations
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from clubsync.validate import similarity
from clubsync.validate.similar_few import Person, weigh

NAMES = st.sampled_from(
    [
        *(
            None,
            "",
            " ",
            "-",
            "Marie",
            "Anne-Marie",
            "Anne Marie",
            "Marié",
            "MARIE ",
            "Louis",
            "Louise",
            "Luis",
        ),
        *(
            "Sophie",
            "Sofie",
            "Jo",
            "J",
            "J.",
            "Matthieu",
            "Mathieu",
            "Christian",
            "Christine",
            "Hh",
            "hhh",
        ),
        *(
            "Dupont",
            "Dupond",
            "Durand",
            "Dupont-Durand",
            "Durand Dupont",
            "Invité 1",
            "Invité 2",
            "Øster",
            "Oster",
        ),
        *("de la Tour", "Latour", "Tour", "Straße", "Strasse", "Nguyễn", "Nguyen", "李", "王小明"),
    ]
) | st.text(alphabet="aeijlmnost -1", max_size=9)
PHONES = st.sampled_from(
    [
        None,
        "",
        "12",
        "+33 6 12 34 56 78",
        "0612345678",
        "0612345679",
        "06 12 34 65 78",
        "٠٦١٢٣٤٥٦٧٨",
    ]
)
DAYS = st.sampled_from(
    [None, date(1990, 3, 4), date(1990, 4, 3), date(1990, 3, 5), date(1900, 1, 2)]
)
EMAILS = st.sampled_from(
    [
        *(
            None,
            "marie.dupont@a.fr",
            "marie.dupont2@a.fr",
            "mdupont@b.fr",
            "m.dupont+x@a.fr",
            "dupont.marie@c.fr",
        ),
        *(
            "abc@a.fr",
            "joe@x.org",
            "sport@club.fr",
            "sports@club.fr",
            "é.tour@x.fr",
            "@a.fr",
            "louise.durand@x.fr",
        ),
    ]
)
PEOPLE = st.lists(st.tuples(NAMES, NAMES, PHONES, DAYS, EMAILS), min_size=2, max_size=8)


@given(PEOPLE)
@settings(deadline=None, max_examples=150)
def test_r23_a_pair_is_weighed_alike_alone_and_among_many(people: list[tuple[Any, ...]]) -> None:
    ids = [f"{n:02}" for n in range(len(people))]
    pairs = list(combinations(ids, 2))
    frame = pl.DataFrame(
        [(i, *person) for i, person in zip(ids, people, strict=True)],
        schema=similarity.PEOPLE,
        orient="row",
    )
    many = similarity.score(pl.DataFrame(pairs, schema=["a", "b"], orient="row"), frame)
    read = {i: Person.of(*person) for i, person in zip(ids, people, strict=True)}
    alone = [(a, b, *found) for a, b in pairs if (found := weigh(read[a], read[b])) is not None]
    assert alone == many.rows()


def test_r23_the_score_is_rounded_alike() -> None:
    """Every sum of bits that there may be, in halves."""
    for half in range(34, 200):
        bits = half / 2
        expr = (1 / (1 + (2.0 ** (similarity.THRESHOLD - pl.lit(bits))))).round(3)
        assert pl.select(expr).item() == round(1 / (1 + 2.0 ** (similarity.THRESHOLD - bits)), 3)


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=12))
def test_r23_a_name_of_plain_letters_is_folded_like_any_other(name: str) -> None:
    """Beside a letter with an accent it takes the other way."""
    assert similarity.plain(f"{name} é") == f"{similarity.plain(name)} e".strip()
