"""`clubsync profile`: where the time of a run went, or of an ERP's cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer

from clubsync.cli.common import AsJson, cell, moment, open_base, out, print_json

#: Parts of a run's time, as a reader of the table calls them.
_PARTS = {
    "airflow": "waiting for Airflow",
    "erp": "waiting for the ERP",
    "parse": "parsing",
    "evaluate": "evaluating",
    "plan": "planning",
    "load": "loading",
    "database": "waiting for PostgreSQL",
    "store": "snapshot store",
    "turn": "waiting its turn",
    "others": "other clubs of the batch",
}
_BAR = 40
#: How many runs of Airflow are listed; the JSON document has all of them.
_CYCLES = 12


def profile(
    of: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|CLUB]",
            help="A run's number, or a club's id: its newest run that has ended.",
        ),
    ] = None,
    erp: Annotated[
        str | None,
        typer.Option(
            "--erp", metavar="ERP", help="All runs of the clubs of this ERP, instead of one run."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="T", help="With --erp: runs since then (ISO 8601); default: an hour."
        ),
    ] = None,
    slowest: Annotated[
        int, typer.Option("--slowest", min=0, help="With --erp: how many slow clubs to list.")
    ] = 10,
    as_json: AsJson = False,
) -> None:
    """Show where the time of a run went, stage by stage; or of all runs of an ERP.

    Of each stage: seconds, CPU seconds, and what they were spent on. The ERP: connecting, sending, receiving, or
    reading its files. PostgreSQL: until its answers came. Airflow: from the end of the stage before until this one
    began to work; of the first stage, from the start of the Dag run. The rest of a stage is its own work: parsing,
    evaluating, planning, loading. Clubs are read several at a time: one waits its turn while others are parsed.

    What a stage does for all clubs of a batch at once is divided evenly among them. What is left of the time
    between start and end went to other clubs of the batch.

    Examples: `clubsync profile boulder-paris`; `clubsync profile --erp eversports --since 2026-11-21T10:00:00Z`.
    """
    from clubsync.explain import profile as profiles

    if (of is None) == (erp is None):
        raise typer.BadParameter("Name a run or a club; or an ERP with --erp.")
    with open_base() as base:
        if erp is not None:
            from clubsync import clock

            start = moment(since) if since else clock.now() - timedelta(hours=1)
            found = profiles.of_cycle(base, erp, start, slowest=slowest)
        else:
            assert of is not None  # one of the two is given
            run = int(of) if of.isdecimal() and not _is_club(of) else None
            found = profiles.of_run(base, run, of)
    if as_json:
        print_json(found)
    elif erp is not None:
        _show_cycle(found)
    else:
        _show_run(found)


def _is_club(text: str) -> bool:
    """Whether a number is a club's id too."""
    from clubsync.config import load_config

    return any(club.id == text for club in load_config().clubs)


def _show_run(found: Mapping[str, Any]) -> None:
    out.say(
        f"Run {found['run']} of {found['name']}, {cell(found['started_at'])}, {found['state']}: "
        f"{_seconds(found['elapsed'])} s from start to end, {_seconds(found['work'])} s of them its own, "
        f"{_seconds(found['cpu'])} s of CPU; {found['requests']:,} requests, {_size(found['received'])}."
    )
    scale = max(found["elapsed"], *(sum(one["parts"].values()) for one in found["stages"]), 1e-9)
    rows: list[list[str]] = []
    for one in found["stages"]:
        told = [one["stage"], _seconds(one["seconds"]), _seconds(one["cpu"]), str(one["clubs"])]
        for part, seconds in one["parts"].items():
            if seconds:
                rows.append(
                    [
                        *told,
                        _PARTS[part],
                        _seconds(seconds),
                        _share(seconds, scale),
                        _bar(seconds, scale),
                    ]
                )
                told = [""] * len(told)
    others = found["parts"]["others"]
    if others:
        rows.append(
            [
                "",
                "",
                "",
                "",
                _PARTS["others"],
                _seconds(others),
                _share(others, scale),
                _bar(others, scale),
            ]
        )
    headings = ["stage", "seconds", "CPU", "clubs", "spent on", "seconds", "share", ""]
    out.show("Where its time went", headings, rows)


def _show_cycle(found: Mapping[str, Any]) -> None:
    if not found["runs"]:
        out.say(f"{found['erp']}: no run since {cell(found['since'])} has a profile.")
        return
    out.say(
        f"{found['erp']}: {found['runs']:,} runs of {found['clubs']:,} clubs since {cell(found['since'])}; "
        f"{found['requests']:,} requests, {_size(found['received'])}."
    )
    scale = sum(one["seconds"]["sum"] for one in found["stages"]) or 1e-9
    rows: list[list[str]] = []
    for one in found["stages"]:
        rows.append(_line(one["stage"], "in all", one["seconds"], scale))
        rows.append(_line("", "of it CPU", one["cpu"], scale))
        for part, told in one["parts"].items():
            if told["sum"]:
                rows.append(_line("", _PARTS[part], told, scale))
    headings = ["stage", "spent on", "sum", "p50", "p95", "max", ""]
    out.show("Seconds of a run, by stage", headings, rows)
    waits = [[_PARTS[part], *_figures(found["parts"][part])[1:]] for part in ("airflow", "others")]
    waits.append(["from start to end", *_figures(found["elapsed"])[1:]])
    out.show("Seconds that a club waits", ["for", "p50", "p95", "max"], waits)
    _show_slowest(found["slowest"])
    if found["cycles"]:
        cycles = [
            [
                one["airflow_run"],
                f"{one['clubs']:,}",
                *map(_seconds, (one["seconds"], one["cpu"])),
                f"{one['requests']:,}",
            ]
            for one in found["cycles"][-_CYCLES:]
        ]
        out.show("Runs of Airflow", ["run", "clubs", "seconds", "CPU", "requests"], cycles)


def _show_slowest(clubs: Sequence[Mapping[str, Any]]) -> None:
    if not clubs:
        return
    scale = clubs[0]["work"] or 1e-9
    rows = [
        [
            one["club"],
            str(one["run"]),
            *map(_seconds, (one["elapsed"], one["work"], one["cpu"])),
            f"{one['requests']:,}",
            f"{_PARTS[one['longest']]} {_seconds(one['parts'][one['longest']])}",
            _bar(one["work"], scale),
        ]
        for one in clubs
    ]
    headings = [
        "club",
        "run",
        "from start to end",
        "its own",
        "CPU",
        "requests",
        "longest part",
        "",
    ]
    out.show("The slowest clubs", headings, rows)


def _line(stage: str, part: str, told: Mapping[str, float], scale: float) -> list[str]:
    return [stage, part, *_figures(told), _bar(told["sum"], scale)]


def _figures(told: Mapping[str, float]) -> list[str]:
    return [_seconds(told[name]) for name in ("sum", "p50", "p95", "max")]


def _seconds(value: float) -> str:
    return f"{value:,.1f}" if value >= 10 else f"{value:.3f}"


def _size(received: int) -> str:
    return f"{received / 1e6:,.1f} MB" if received >= 1e5 else f"{received / 1e3:,.1f} kB"


def _share(value: float, scale: float) -> str:
    return f"{value / scale:.0%}"


def _bar(value: float, scale: float) -> str:
    """A bar of up to `_BAR` characters, in eighths of one."""
    eighths = round(value / scale * _BAR * 8)
    full, rest = divmod(min(eighths, _BAR * 8), 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")
