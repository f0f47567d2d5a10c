"""clubs.yaml may say anything: it is read within limits, or refused with a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clubsync.config import load_config
from clubsync.errors import ConfigError
from tests.support.measured import MEGABYTE, measured

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, one in zip("abcdefgh", "bcdefghi", strict=True)
)
CLUB = "clubs:\n- {id: x, name: X, erp: csv, connection: c"


def test_a_thousand_million_laughs(tmp_path: Path) -> None:
    """Ten lines of aliases; writing them out took all memory."""
    path = tmp_path / "clubs.yaml"
    path.write_text(f"{LAUGHS}clubs: []\n")
    found = measured(
        f"load_config(Path({str(path)!r}))",
        "from pathlib import Path\nfrom clubsync.config import load_config\n"
        "load_config(Path('config/clubs.yaml'))",
    )
    assert found.kind == "ConfigError"
    assert "more than 2000000 values, those that aliases repeat included" in found.said
    assert found.grown < 50 * MEGABYTE


def test_ordinary_aliases_are_read(tmp_path: Path) -> None:
    path = tmp_path / "clubs.yaml"
    path.write_text(
        "clubs:\n- {id: x, name: X, erp: csv, connection: c, settings: &s {customers: a.csv}}\n"
        "- {id: y, name: Y, erp: csv, connection: c, settings: *s}\n"
    )
    assert load_config(path).club("y").settings == {"customers": "a.csv"}


@pytest.mark.parametrize(
    "text",
    [
        *("clubs: &a [*a]", "&a {clubs: [*a]}", "clubs: " + "[" * 5_000, "clubs: " + "{a: " * 900),
        *("clubs: 3", "clubs: {a: 1}", "clubs: [[]]", "defaults: 3", "defaults: [1]", "<<: 3"),
        *("\0", "clubs: [!!binary x]", "clubs: [!!python/object:os.system x]", "clubs: [!!int x]"),
        f"{CLUB}, guard: 3}}",
        f"{CLUB}, guard: {{share: 1e999%}}}}",
        f"{CLUB}, every: 99999999999999d}}",
        f"{CLUB}, timezone: ../../etc/passwd}}",
        f'{CLUB}, timezone: "a\\0b"}}',
        f"{CLUB}, country: 2001-99-99}}",
        f"{CLUB}, no_end: [{{a: b}}]}}",
        f"{CLUB}, shared_email_limit: {'9' * 9_000}}}",
    ],
)
def test_nonsense_is_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "clubs.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as told:
        load_config(path)
    assert told.value.what.startswith(str(path))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "clubs.yaml"
    path.write_bytes(b"clubs: [\xff]")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_config(path)


def test_only_a_regular_file_of_a_reasonable_size(tmp_path: Path) -> None:
    pipe, link, large = tmp_path / "pipe", tmp_path / "link", tmp_path / "large"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    with large.open("wb") as file:
        file.truncate(2**33)
    for path in (pipe, link):
        with pytest.raises(ConfigError, match="not a regular file"):
            load_config(path)
    with pytest.raises(ConfigError, match="more than 32 MB"):
        load_config(large)
