"""R14: a file's text is read in its own encoding, or rejected; a garbled name overwrites nobody's."""

from __future__ import annotations

import pytest

from connectors.sdk.errors import FileBroken
from connectors.sdk.files.encodings import decoded, is_garbled

NAMES = [
    *("Renée", "François", "Zoé Lefèvre", "Müller", "José Núñez", "GÉRARD", "NOËL", "Åsa Öberg"),
    *("Benoît", "Anaïs", "Straße", "Gaëlle", "Jérôme d’Aôust", "Björn"),
]
TEXT = "id;nom\n" + "".join(f"{n};{name}\n" for n, name in enumerate(NAMES))


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "iso-8859-15", "cp850", "mac_roman"]
)
@pytest.mark.parametrize("configured", [None, "own"])
def test_the_encoding_is_recognised(encoding: str, configured: str | None) -> None:
    text = TEXT if encoding not in ("cp850", "iso-8859-15") else TEXT.replace("’", "'")
    assert decoded(text.encode(encoding), "f.csv", configured and encoding).strip("\ufeff") == text


@pytest.mark.parametrize("encoding", ["cp1252", "cp850", "mac_roman"])
@pytest.mark.parametrize("name", NAMES[:12])
def test_one_name_is_enough(encoding: str, name: str) -> None:
    text = f"id;nom\n1;{name}\n"
    assert decoded(text.encode(encoding), "f.csv") == text


@pytest.mark.parametrize("configured", ["cp1252", "cp850", "latin-1", "mac_roman"])
def test_what_is_utf_8_is_utf_8_whatever_the_settings_say(configured: str) -> None:
    assert decoded(TEXT.encode(), "f.csv", configured) == TEXT


@pytest.mark.parametrize(
    ("encoding", "configured"),
    [("cp850", "cp1252"), ("mac_roman", "cp1252"), ("mac_roman", "cp850"), ("cp1252", "cp850")],
)
def test_another_encoding_than_the_configured_one_is_named(encoding: str, configured: str) -> None:
    text = TEXT.replace("’", "'")
    with pytest.raises(FileBroken, match=f"does not look like {configured}.*like {encoding}") as e:
        decoded(text.encode(encoding), "f.csv", configured.replace("_", "-"))
    assert "encoding" in e.value.remedy


@pytest.mark.parametrize("configured", [None, "cp1252", "utf-8"])
def test_one_row_in_another_encoding_is_named(configured: str | None) -> None:
    data = TEXT.encode() + "99;José\n".encode("cp1252") + "100;Zoé\n".encode()
    with pytest.raises(FileBroken, match=rf"not UTF-8 in row {len(NAMES) + 2}\b"):
        decoded(data, "f.csv", configured)


@pytest.mark.parametrize(("encoding", "text"), [("cp1251", "Иван Петров"), ("cp1253", "Ελένη")])
def test_an_encoding_that_is_not_recognised_is_asked_for(encoding: str, text: str) -> None:
    data = f"id;name\n1;{text}\n".encode(encoding)
    with pytest.raises(FileBroken, match="cannot be recognised") as e:
        decoded(data, "f.csv")
    assert "`encoding`" in e.value.remedy
    assert text in decoded(data, "f.csv", encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp850"])
@pytest.mark.parametrize("name", [*NAMES, "L’Haÿ"])
def test_text_that_was_encoded_twice_is_garbled(name: str, encoding: str) -> None:
    assert is_garbled(name.encode().decode(encoding))


@pytest.mark.parametrize(
    "name", [*NAMES, "«CAFÉ»", "N° 12", "SÃO PAULO", "10 €", "Łukasz", "İpek", "Ελένη", "Иван"]
)
def test_good_text_is_not(name: str) -> None:
    assert not is_garbled(name)
