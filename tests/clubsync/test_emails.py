"""R2: our quick way with addresses against email-validator itself, on addresses made to tell them apart."""

from __future__ import annotations

import itertools
import unicodedata

import polars as pl
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from clubsync import emails

LOCALS = [
    "ann", "Ann", "ANN.MARTIN", "a", "a.b", "a..b", ".a", "a.", "a+tag", "+", "a_b", "a-b", "-a", "_",
    "a'b", "o'neil", "a!b", "a#b", "a b", '"a b"', '"a"', "a,b", "a;b", "a:b", "a(b)", "a\\b", "a@b",
    "é", "jose\u0301", "josé", "ß", "İ", "ı", "ſ", "K", "\u212a", "ａ", "用户", "пользователь",
    "a\u200bb", "a\u00adb", "a\u202eb", "a\tb", "a\nb", "a\x00b", "\ufeffa", "a" * 60, "a" * 64, "a" * 65,
    "postmaster", "test", "no-reply", "1", "123", "a=b", "a/b", "a%b", "a*b", "{a}", "a|b", "a^b", "a~b",
    "a`b", "a?b", "a&b", "a$b", "a<b", "<a", "mailto:a", "😀",
]  # fmt: skip
DOMAINS = [
    "exemple.fr", "EXEMPLE.FR", "exemple", "exemple.", ".fr", "a.b.c.d.fr", "exemple..fr", "-a.fr", "a-.fr",
    "a--b.fr", "xn--bcher-kva.fr", "bücher.fr", "BÜCHER.fr", "buecher.fr", "straße.fr", "faß.de", "ß.fr",
    "xn--a.fr", "xn--.fr", "ab--cd.fr", "1.fr", "exemple.1", "exemple.fr1", "127.0.0.1", "[127.0.0.1]",
    "[IPv6:::1]", "localhost", "exemple.local", "exemple.test", "exemple.example", "exemple.invalid",
    "exemple.localhost", "exemple.onion", "home.arpa", "a.arpa", "exemple_x.fr", "exem ple.fr", "exemple.fr ",
    "exemple,fr", "exemple。fr", "ｅxemple.fr", "a" * 63 + ".fr", "a" * 64 + ".fr", ".".join(["a" * 60] * 4) + ".fr",
    "\u212a.fr", "ı.fr", "İ.fr", "例え.jp", "пример.рф", "a\u00ad.fr", "a\u200d.fr", "☃.net", "exemple.fr.",
    "exemple.c", "exemple.museum", "🦊.fr", "fi\ufb01.fr", "exemple\u2024fr", "a.-b.fr",
]  # fmt: skip
WHOLE = [
    "", " ", "@", "a", "a@", "@exemple.fr", "a@@exemple.fr", "a@b@exemple.fr", "a at exemple.fr",
    "Ann <a@exemple.fr>", "a@exemple.fr,b@exemple.fr", "a@exemple.fr;b@exemple.fr", " a@exemple.fr ",
    "\ta@exemple.fr\n", "a @exemple.fr", "a@ exemple.fr", "\u00a0a@exemple.fr\u00a0", "a@exemple.fr\u200b",
    "mailto:a@exemple.fr", "a＠exemple.fr", "a@exemple.fr?", "http://exemple.fr", "+33600000001", "n/a",
    "null", "-", "a" * 200 + "@exemple.fr", "a@" + "b" * 250 + ".fr",
]  # fmt: skip
CORPUS = [
    *WHOLE,
    *(f"{local}@exemple.fr" for local in LOCALS),
    *(f"ann@{domain}" for domain in DOMAINS),
    *(f"{local}@{domain}" for local, domain in itertools.product(LOCALS[::5], DOMAINS[::4])),
]


#: Reserved domains that the library does not accept.
RESERVED = ("localhost", ".test", ".invalid")


def expected(raw: str) -> str | None:
    """What R2 asks for, by the library alone, one address at a time."""
    kept = "".join(c for c in raw.strip() if unicodedata.category(c) != "Cf").strip()
    kept = kept.removeprefix("mailto:")
    try:
        parts = validate_email(unicodedata.normalize("NFC", kept), check_deliverability=False)
    except EmailNotValidError:
        return None
    local = unicodedata.normalize("NFC", parts.local_part.casefold())
    return f"{local}@{parts.ascii_domain.casefold()}"


def verdicts(addresses: list[str | None]) -> list[tuple[str | None, str]]:
    """Ours, many at a time."""
    found = emails.evaluate(pl.Series("email", addresses, dtype=pl.String))
    return found.select("email_norm", "email_state").rows()


def test_the_corpus_is_large_enough() -> None:
    """At least 300 different addresses, of which many are valid and many are not."""
    assert len(set(CORPUS)) >= 300
    valid = sum(expected(raw) is not None for raw in set(CORPUS))
    assert 75 < valid < len(set(CORPUS)) - 75


def test_no_disagreement_with_email_validator() -> None:
    """Every address, all in one go, as the sync judges them."""
    ours = dict(zip(CORPUS, verdicts(list(CORPUS)), strict=True))
    wrong = {}
    for raw in CORPUS:
        norm = expected(raw)
        state = "valid" if norm else "missing" if not raw.strip() else "invalid"
        plain = raw.count("@") == 1 and not any(c.isspace() for c in raw)
        if plain and raw.endswith(RESERVED):
            state = "placeholder"
        if ours[raw] != (norm, state):
            wrong[raw] = (ours[raw], norm, state)
    assert wrong == {}


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=8))
def test_no_disagreement_by_chance(parts: list[str]) -> None:
    """Any text around an @, of any letters."""
    addresses = [f"{a}@{b}.fr" for a, b in itertools.pairwise([*parts, "exemple"])]
    assert [norm for norm, _ in verdicts([*addresses])] == [expected(a) for a in addresses]


def test_missing_is_not_invalid() -> None:
    """Null, blank and white space are missing."""
    assert verdicts([None, "", "  "]) == [(None, "missing")] * 3


@pytest.mark.parametrize(
    "raw", ["Ann.Martin+tag@Exemple.FR", "jose\u0301@bücher.fr", "ß@straße.fr"]
)
def test_normalising_twice_changes_nothing(raw: str) -> None:
    """The key of a key is the key."""
    key = emails.normalise(raw)
    assert key is not None
    assert emails.normalise(key) == key


@pytest.mark.parametrize(
    ("raw", "about"),
    [
        ("a@x.fr, b@x.fr", "several"),
        ("a@x.fr;b@x.fr", "several"),
        ("a@x.fr / b@y.fr", "several"),
        ("a@x.fr et b@y.fr", "several"),
        ("a@x.fr b@oops", "several"),
        ("Anna <a@x.fr>", "around"),
        ("Anna a@x.fr", "around"),
        ("a@x.fr (mère)", "around"),
        ('"Anna, B." <mailto:a@x.fr>', "around"),
        ("<a@x.fr>", None),
        ("a@x.fr,", None),
        ("a@x", None),
        ("a@b@x.fr", None),
        ("a x.fr", None),
    ],
)
def test_r02_why_a_cell_is_no_email(raw: str, about: str | None) -> None:
    """ "A cell with several addresses, or a name around one, is EMAIL_INVALID with advice that says exactly that"."""
    assert emails.evaluate(pl.Series([raw])).row(0) == (None, "invalid", about)


@pytest.mark.parametrize(
    "raw",
    [
        "mailto:Anna@x.fr",
        "MAILTO: anna@x.fr?subject=Bonjour",
        "\u00a0anna@x.fr\u202f",
        "an\u00adna@x.fr",
        "\ufeffanna\u200b@x\u2060.fr",
        "\u202aanna@x.fr\u202c",
    ],
)
def test_r02_what_no_person_typed_is_removed(raw: str) -> None:
    assert emails.evaluate(pl.Series([raw])).row(0) == ("anna@x.fr", "valid", None)
    assert emails.normalise(raw) == "anna@x.fr"


STAND_INS = [
    "noemail@club.fr", "No-Email@x.com", "no_mail@x.fr", "no.e-mail@x.fr", "nomail12@x.fr", "sansmail@x.fr",
    "sans-email+dupont@x.fr", "SANSMAIL@x", "pasdemail@x.fr", "pas-de-mail@x.fr", "keine-email@x.de",
    "sincorreo@x.es", "sin-correo@x.es", "geen.email@x.nl", "a@b.test", "a@b.invalid", "a@localhost",
]  # fmt: skip


@pytest.mark.parametrize("raw", STAND_INS)
def test_r02_placeholders(raw: str) -> None:
    """ "by default the reserved domains and `noemail@…`, `no-email@…`, `sansmail@…`"."""
    assert emails.evaluate(pl.Series([raw])).row(0) == (None, "placeholder", None)
    assert emails.is_placeholder(raw)


@pytest.mark.parametrize(
    "raw", ["anna@example.com", "nora.mail@x.fr", "noe@mail.fr", "semail@x.fr", "sandra@noemail.fr"]
)
def test_r02_ordinary_addresses_are_no_placeholders(raw: str) -> None:
    assert emails.evaluate(pl.Series([raw])).row(0) == (raw, "valid", None)
    assert not emails.is_placeholder(raw)


def test_r02_a_clubs_own_placeholders() -> None:
    """ "a club's `placeholder_emails`, patterns allowed"; the rest of a pattern is no pattern."""
    own = ["accueil@club.fr", "*@Example.com", "x?@y.fr", "tel*@*", "*@bücher.fr"]
    cells = [
        *("Accueil@club.fr", "a@example.com", "x1@y.fr", "tel0612@z.fr", "a@xn--bcher-kva.fr"),
        *("accueil@clubXfr.fr", "accueil@club-fr", "x@y.fr", "x12@y.fr", "a@example.com.fr"),
    ]
    found = emails.evaluate(pl.Series(cells), own)["email_state"].to_list()
    assert found == ["placeholder"] * 5 + ["valid", "invalid", *["valid"] * 3]
