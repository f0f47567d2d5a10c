"""clubs.yaml is parsed once after each change; whoever loads it after that reads what came of it."""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from clubsync.config import ClubConfig, Config, Summary, load_club, load_config, yaml_files
from clubsync.config.reading import _plain
from clubsync.config.yaml_files import File
from clubsync.errors import ConfigError, UnknownClub

CLUBS = """\
defaults: {every: 10m, guard: {share: 5%, at_least: 2}, contact: {via: mail, at: "08:00"}}
clubs:
  - id: rowing
    name: Rowing
    erp: csv
    connection: rowing
    former_groups: [Anciens, "1"]
    access_groups: [Gold]
    automatic_groups: {Gold: Or, Silver: null}
    members: {at: site, is: [Annecy, 74]}
    contact: {to: [ana@example.com]}
    settings: {customers: a.csv, since: 2024-01-01, fields: {id: id, email: [a, b]}}
  - {id: judo, name: "Judo: the club", erp: rest, connection: judo, no_end: [31.12.2099, never]}
  - {id: padel, name: 24 Hours Padel, erp: csv, connection: padel, promise: {data: 2d}}
webhooks:
  - {id: crm, connection: crm, clubs: [judo], timeout: 5s}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLUBSYNC_VAR", str(tmp_path / "var"))
    (tmp_path / "clubs.yaml").write_text(CLUBS)
    return tmp_path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were parsed."""
    seen: list[Path] = []
    original = yaml_files.quick

    def quick(file: File) -> dict[str, Any] | None:
        seen.append(file.path)
        return original(file)

    monkeypatch.setattr(yaml_files, "quick", quick)
    return seen


def _said(config: Config) -> tuple[Any, ...]:
    return config.defaults, config.clubs, config.webhooks, config.erps, config.path


def test_what_is_kept_is_what_was_read(home: Path, parsed: list[Path]) -> None:
    path = home / "clubs.yaml"
    read, kept = load_config(path), load_config(path)
    assert len(parsed) == 1
    assert _said(kept) == _said(read)
    assert [type(club.every) for club in kept.clubs] == [type(club.every) for club in read.clubs]
    assert [club.id for club in kept.of_erp("csv")] == ["rowing", "padel"]
    assert [club.id for club in kept.clubs] == ["rowing", "judo", "padel"]
    assert kept.club("rowing") == read.club("rowing")
    assert kept.club("rowing").tenant == read.club("rowing").tenant
    assert kept.of_erp("nobodys") == ()


def test_an_edit_is_seen_at_once(home: Path, parsed: list[Path]) -> None:
    """Even one that changes neither size nor time of the file."""
    path = home / "clubs.yaml"
    load_config(path)
    before = path.stat()
    path.write_text(CLUBS.replace("name: Rowing", "name: Towing"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load_config(path).club("rowing").name == "Towing"
    path.write_text(CLUBS)
    assert load_config(path).club("rowing").name == "Rowing"
    assert len(parsed) == 2


def test_an_error_is_kept_in_the_same_words(home: Path, parsed: list[Path]) -> None:
    path = home / "clubs.yaml"
    path.write_text(CLUBS.replace("erp: rest", "epr: rest"))
    told = []
    for _ in range(2):
        with pytest.raises(ConfigError) as raised:
            load_config(path)
        told.append((raised.value.what, raised.value.remedy))
    assert told[0] == told[1]
    assert f"{path}, line 13, club judo" in told[0][0]
    assert len(parsed) == 1


@pytest.mark.parametrize("name", ["index.json", "clubs-0.json"])
@pytest.mark.parametrize("damage", ["", "{", '{"ids": {}}', "\0\0", None])
def test_a_damaged_folder_is_read_anew(home: Path, name: str, damage: str | None) -> None:
    path = home / "clubs.yaml"
    read = load_config(path)
    (place,) = (home / "var" / "registry").iterdir()
    if damage is None:
        (place / name).unlink()
    else:
        (place / name).write_text(damage)
    assert _said(load_config(path)) == _said(read)
    assert _said(load_config(path)) == _said(read)


def test_nobody_else_can_read_what_is_kept_and_little_of_it_is(home: Path) -> None:
    path = home / "clubs.yaml"
    for n in range(12):
        path.write_text(CLUBS.replace("name: Rowing", f"name: Rowing {n}"))
        load_config(path)
    folder = home / "var" / "registry"
    assert 1 <= len(list(folder.iterdir())) <= 8
    shared = stat.S_IRWXG | stat.S_IRWXO
    assert not [p for p in (folder, *folder.rglob("*")) if p.stat().st_mode & shared]


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("CLUBSYNC_VAR", str(home / "file" / "var"))
    assert load_config(home / "clubs.yaml").club("judo").name == "Judo: the club"


def test_no_folder_is_made_where_clubsync_has_none(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLUBSYNC_VAR")
    monkeypatch.chdir(home)
    load_config(home / "clubs.yaml")
    assert sorted(p.name for p in home.iterdir()) == ["clubs.yaml"]


def test_ten_thousand_clubs_are_not_validated_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they have in common is, once; and a Dag of one ERP makes its own clubs only."""
    path = home / "clubs.yaml"
    rows = [
        f"- {{id: club-{n}, name: Club {n}, erp: {('csv', 'rest')[n % 2]}, connection: c{n}}}"
        for n in range(10_000)
    ]
    path.write_text("clubs:\n" + "\n".join(rows))
    read = load_config(path)
    kept = load_config(path)
    made: list[Any] = []
    validate = ClubConfig.model_validate

    def counted(value: Any) -> ClubConfig:
        made.append(value)
        return validate(value)

    monkeypatch.setattr(ClubConfig, "model_validate", counted)
    for erp in (None, "csv", "rest", "planity"):
        assert kept.summary(erp) == read.summary(erp)
    assert made == []
    assert kept.club("club-4242") == read.club("club-4242")
    assert len(made) == 1
    assert kept.clubs == read.clubs
    assert len(made) <= 4


def test_a_summary_names_the_clubs_in_the_order_of_the_file(home: Path) -> None:
    """R25: with the shortest of their intervals and of their promises."""
    path = home / "clubs.yaml"
    path.write_text(
        "clubs:\n"
        "- {id: b, name: B, erp: csv, connection: b, every: 10m}\n"
        "- {id: a, name: A, erp: rest, connection: a, every: 5m, promise: {read: 1h}}\n"
        "- {id: c, name: C, erp: csv, connection: c, every: 20m, promise: {read: 25m}}\n"
    )
    for config in (load_config(path), load_config(path)):  # read, then kept
        assert config.summary("csv") == Summary(
            2, timedelta(minutes=10), timedelta(minutes=25), {"b": "B", "c": "C"}
        )
        everybody = config.summary()
        assert everybody is not None
        assert (everybody.count, everybody.every) == (3, timedelta(minutes=5))
        assert list(everybody.names) == ["b", "a", "c"]


# --- a folder of files --------------------------------------------------------------------------


@pytest.fixture
def folder(home: Path) -> Path:
    folder = home / "clubs"
    folder.mkdir()
    (folder / "10-defaults.yaml").write_text("defaults: {every: 7m}\n")
    (folder / "20-north.yml").write_text("clubs: [{id: a, name: A, erp: csv, connection: a}]\n")
    (folder / "30-south.yaml").write_text("clubs: [{id: b, name: B, erp: csv, connection: b}]\n")
    (folder / ".hidden.yaml").write_text("clubs: 3\n")
    (folder / "notes.txt").write_text("[")
    return folder


def test_a_folder_is_one_registry(folder: Path) -> None:
    for _ in range(2):
        config = load_config(folder)
        assert [(club.id, club.every.seconds) for club in config.clubs] == [("a", 420), ("b", 420)]
    assert load_club(folder, "b").name == "B"
    with pytest.raises(UnknownClub, match="has no club 'c'"):
        config.club("c")


def test_what_is_wrong_in_a_folder_names_the_file(folder: Path) -> None:
    (folder / "40-more.yaml").write_text(
        "defaults: {every: 1h}\nclubs:\n- {id: a, name: A, erp: csv, connection: a}\n"
    )
    with pytest.raises(ConfigError) as told:
        load_config(folder)
    assert "40-more.yaml, line 1: `defaults` stand in 10-defaults.yaml already" in told.value.what
    where = "40-more.yaml, line 3, club a: this id is already used in 20-north.yml, on line 1"
    assert where in told.value.what


def test_an_empty_folder_is_told(home: Path) -> None:
    (home / "none").mkdir()
    with pytest.raises(ConfigError, match=r"has no files \*\.yaml"):
        load_config(home / "none")


# --- two parsers --------------------------------------------------------------------------------


def _slow(text: str) -> Any:
    return _plain(YAML(typ="rt", pure=True).load(text))


def _quick(text: str) -> Any:
    return _plain(yaml_files.quick(File(Path("x.yaml"), text.encode())))


SCALARS = st.one_of(
    st.text("0123456789.-+_:eExXoOabfinNATZ %mhdsyr~", max_size=12),
    st.sampled_from(
        [
            "yes",
            "no",
            "NO",
            "on",
            "y",
            "n",
            "true",
            "TRUE",
            "tRUE",
            "null",
            "~",
            "Null",
            "0o17",
            "017",
            "0x1F",
            "1_000",
            "12:30",
            "1:20:30",
            ".5",
            "5.",
            "1e3",
            "1.e+3",
            "-.inf",
            ".NaN",
            "0b11",
            "2024-01-01",
            "2024-1-1",
            "2024-13-01",
            "2001-12-14t21:59:43.10Z",
            "5m",
            "10%",
            "1h30",
            "+33612",
            "=",
            "<<",
            "#x",
            "a#b",
            "?",
            "|",
            "'it''s'",
            "@x",
        ]
    ),
    st.sampled_from(
        [
            "2024-01-01 10:00:00",
            "24 Hours",
            "2B Fit",
            "06 12 34",
            "3e étage",
            "!!str 5",
            "&a x",
            "a: b",
            "- a",
        ]
    ),
    st.just('"a\\n\\u00e9"'),
)


@given(st.lists(SCALARS, min_size=1, max_size=4), st.booleans())
@example(["1e3"], True)
@example(["2024-02-30"], False)
@example(["?", "", "x"], True)
def test_what_the_quick_parser_says_the_slow_one_says_too(values: list[str], flow: bool) -> None:
    """It may leave a file to the other; it may not read it otherwise."""
    if flow:
        text = "clubs: [" + ", ".join(values) + "]\n"
    else:
        text = "clubs:\n" + "".join(f"  - k{n}: {value}\n" for n, value in enumerate(values))
    quick = yaml_files.quick(File(Path("x.yaml"), text.encode()))
    if quick is not None:
        assert repr(_plain(quick)) == repr(_plain(_slow(text))), text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
        ),
        max_leaves=12,
    ),
    st.sampled_from([None, True, False]),
)
def test_whatever_is_written_by_a_library_is_read_alike(value: Any, style: bool | None) -> None:
    text = yaml.safe_dump({"settings": value}, default_flow_style=style, allow_unicode=True)
    quick = yaml_files.quick(File(Path("x.yaml"), text.encode()))
    if quick is not None:
        assert repr(_plain(quick)) == repr(_plain(_slow(text))), text


@pytest.mark.parametrize(
    "text",
    [
        "clubs: [{id: no, country: NO, name: 24 Hours, every: 5m, guard: {share: 10%}}]",
        "clubs: [{settings: &s {a: 1}}, {settings: *s}]",
        "# a comment\nclubs:\n- id: a\n  since: 2024-01-01\n  rate: 1.5\n  note: >-\n    two\n    lines\n",
    ],
)
def test_what_people_write_is_read_by_the_quick_parser(text: str) -> None:
    assert _quick(text) == _slow(text)
