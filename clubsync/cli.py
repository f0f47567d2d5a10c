"""`clubsync`: the engine from the shell, without Airflow.

`--json` prints one JSON document on stdout and nothing else; errors go to stderr in plain words.
Exit codes of `sync`: 0 done (also when only part could be read), 3 done with something held, 1 a club
failed; 1 comes before 3, 3 before 0.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from clubsync.errors import SyncError
from connectors.errors import ConnectorError

if TYPE_CHECKING:
    from clubsync.config import ClubConfig
    from clubsync.db import Driver
    from clubsync.pipeline import Pipeline, Step

app = typer.Typer(
    name="clubsync",
    help="Keep the customer base of many clubs in step with the ERP each of them is run on.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)
clubs_app = typer.Typer(
    help="The clubs of clubs.yaml, and how they are.", invoke_without_command=True
)
db_app = typer.Typer(help="The club base's own data base.", no_args_is_help=True)
app.add_typer(clubs_app, name="clubs")
app.add_typer(db_app, name="db")

out = Console(width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]
ClubId = Annotated[str, typer.Argument(metavar="CLUB", help="A club's id, as in clubs.yaml.")]


def main() -> None:
    """The entry point: errors that people can act on are sentences, not tracebacks."""
    logging.basicConfig(level=logging.CRITICAL)
    try:
        app()
    except (SyncError, ConnectorError) as error:
        err.print(f"[red]{error.what}[/red] {error.remedy}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _print_json(document: Any) -> None:
    sys.stdout.write(json.dumps(document, default=_plain, ensure_ascii=False) + "\n")


def _table(title: str, rows: list[dict[str, Any]], columns: list[str]) -> None:
    if not rows:
        out.print(f"{title}: none.")
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    out.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    return str(value)


@contextmanager
def _pipeline(quiet: bool) -> Iterator[Pipeline]:
    """The pipeline, with a progress line on stderr where a person looks on."""
    from clubsync.pipeline import Pipeline

    if quiet or not err.is_terminal:
        with Pipeline.from_environment() as pipeline:
            yield pipeline
        return
    with err.status("reading") as status:

        def progress(club: str, stage: str, rows: int, total: int | None) -> None:
            status.update(f"{club}: {stage} {rows:,}" + (f" of {total:,}" if total else ""))

        with Pipeline.from_environment(progress=progress) as pipeline:
            yield pipeline


@contextmanager
def _club(club_id: str) -> Iterator[tuple[Driver, int, ClubConfig]]:
    """A read of one club that has been synced before, or is at least in clubs.yaml."""
    from clubsync.config import load_config
    from clubsync.db import Base, queries

    club = load_config().club(club_id)
    base = Base(pool_size=1)
    try:
        with base.transaction() as driver:
            number = queries().find_club(driver, club_id=club_id)
        with base.club(number or 0) as driver:
            yield driver, number or 0, club
    finally:
        base.close()


# --- clubs ------------------------------------------------------------------------------------


@clubs_app.callback()
def clubs(context: typer.Context, as_json: AsJson = False) -> None:
    """List the clubs: ERP, cadence, last complete reading, customers, open findings, holds."""
    if context.invoked_subcommand:
        return
    from clubsync.config import load_config
    from clubsync.db import Base, queries

    config = load_config()
    base = Base(pool_size=1)
    try:
        with base.reader() as driver:
            states = {row["club_id"]: row for row in queries().club_overview(driver)}
    finally:
        base.close()
    rows = []
    for club in config.clubs:
        state = states.get(club.id, {})
        rows.append(
            {
                "club": club.id,
                "name": club.name,
                "erp": club.erp,
                "every": f"{int(club.every.total_seconds() // 60)}m",
                "state": _state(state),
                "certified": state.get("certified_as_of"),
                "customers": state.get("customers", 0),
                "findings": state.get("findings", 0),
                "held": state.get("held", 0),
                "error": state.get("last_error"),
            }
        )
    if as_json:
        _print_json(rows)
    else:
        _table(str(config.path), rows, list(rows[0]) if rows else [])


def _state(state: dict[str, Any]) -> str:
    if not state:
        return "never read"
    if state["paused"]:
        return "paused"
    if state["failing_since"]:
        return "failing"
    return "held" if state["held"] else "ok"


@clubs_app.command("check")
def clubs_check(
    club_ids: Annotated[list[str] | None, typer.Argument(metavar="[CLUB]...")] = None,
    as_json: AsJson = False,
) -> None:
    """Check clubs.yaml and test every club's connection; stores nothing."""
    from concurrent.futures import ThreadPoolExecutor

    from clubsync import connections
    from clubsync.config import load_config
    from clubsync.pipeline import connector_of

    config = load_config()
    wanted = [config.club(c) for c in club_ids] if club_ids else list(config.clubs)

    def look(club: ClubConfig) -> dict[str, Any]:
        row = {"club": club.id, "erp": club.erp, "connection": club.connection}
        try:
            return {
                **row,
                "ok": True,
                "found": connector_of(club, connections.resolve).check(),
                "remedy": None,
            }
        except (SyncError, ConnectorError) as error:
            return {**row, "ok": False, "found": error.what, "remedy": error.remedy}

    with ThreadPoolExecutor(max_workers=8) as pool:
        rows = list(pool.map(look, wanted))
    if as_json:
        _print_json(rows)
    else:
        _table(
            f"{config.path}: {len(rows)} clubs",
            rows,
            ["club", "erp", "connection", "ok", "found", "remedy"],
        )
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


@clubs_app.command("schema")
def clubs_schema() -> None:
    """Print the JSON Schema of clubs.yaml, for editors."""
    from clubsync.config import json_schema

    _print_json(json_schema())


# --- sync -------------------------------------------------------------------------------------


@app.command()
def sync(
    club_ids: Annotated[
        list[str], typer.Argument(metavar="CLUB...", help="Ids, as in clubs.yaml; or `all`.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Stop at the plan: say what would change or be held.")
    ] = False,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Ask the ERP for everything, also where it could give changes only."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read, validate, diff and load clubs, now."""
    with _pipeline(quiet=as_json) as pipeline:
        ids = [c.id for c in pipeline.config.clubs] if club_ids == ["all"] else club_ids
        for club_id in ids:
            pipeline.config.club(club_id)
        steps = pipeline.sync(list(dict.fromkeys(ids)), "shell", full=full, dry_run=dry_run)
    documents = [document(step) for step in steps]
    if as_json:
        _print_json(documents)
    else:
        _show_sync(documents, dry_run)
    for step in steps:
        if step["error"]:
            err.print(
                f"[red]{step['club']}: {step['error']}[/red] {step['remedy']} "
                f"(docs/runbooks/{step['runbook']}.md)",
                highlight=False,
                soft_wrap=True,
            )
    if any(step["error"] for step in steps):
        raise typer.Exit(1)
    if any(step["held"] for step in steps):
        raise typer.Exit(3)


def document(step: Step) -> dict[str, Any]:
    """One club's part of `sync --json`."""
    found: dict[str, Any] = {
        "club": step["club"],
        "run": step["run"],
        "certified": step["certified"],
        "as_of": step["as_of"],
        "read": step["read"],
        "changes": step["counts"],
        "held": step["hold"],
        "findings": step["findings"],
        "rows_written": step["rows_written"],
    }
    if step["error"]:
        found["error"] = f"{step['error']} {step['remedy']}"
    return found


def _show_sync(documents: list[dict[str, Any]], dry_run: bool) -> None:
    rows = []
    for doc in documents:
        changes = [f"{n} {kind.replace('_', ' ')}" for kind, n in doc["changes"].items() if n]
        rows.append(
            {
                "club": doc["club"],
                "result": "failed"
                if "error" in doc
                else "held"
                if doc["held"]
                else "dry"
                if dry_run
                else "done",
                "read": doc["read"],
                "complete": doc["certified"],
                "changes": ", ".join(changes) or "none",
                "held": "; ".join(doc["held"]["causes"]) if doc["held"] else "",
                "findings": ", ".join(f"{n} {code}" for code, n in doc["findings"].items()),
                "rows_written": doc["rows_written"],
                "run": doc["run"],
            }
        )
    _table("Plan (dry run)" if dry_run else "Sync", rows, list(rows[0]) if rows else [])


# --- what there is ----------------------------------------------------------------------------


@app.command()
def customers(club_id: ClubId, as_json: AsJson = False) -> None:
    """The club base of a club."""
    from clubsync.db import queries

    with _club(club_id) as (driver, number, club):
        rows = list(queries().customers(driver, club=number))
    if as_json:
        _print_json(rows)
    else:
        columns = [
            "id",
            "erp_id",
            "email",
            "first_name",
            "last_name",
            "in_customers_group",
            "groups",
            "reason",
            "link",
        ]
        _table(f"{club.name}: {len(rows)} customers", rows, columns)


@app.command()
def findings(
    club_id: ClubId,
    everything: Annotated[
        bool, typer.Option("--all", help="Closed and informational ones too.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write them as CSV.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What the club should fix in its ERP."""
    from clubsync import suites
    from clubsync.db import queries
    from clubsync.export import write_csv

    with _club(club_id) as (driver, number, club):
        found = list(queries().findings(driver, club=number, include_all=everything))
        if csv is not None:
            written = write_csv(csv, driver, number, include_all=everything, language=club.language)
            err.print(f"{written} records written to {csv}.", highlight=False, soft_wrap=True)
    rows = []
    for row in found:
        detail, closed = row.pop("detail"), row.pop("closed_at")
        advice = suites.advice(row["code"], row["severity"], detail, club.language)
        document = {
            "code": row["code"],
            "erp_id": row["erp_id"],
            "email": row["email"],
            "severity": row["severity"],
            "advice": advice,
            "since": row["since"],
            "run": row["run"],
        }
        rows.append({**document, "closed": closed} if everything else document)
    if as_json:
        _print_json(rows)
    elif csv is None:
        _table(
            f"{club.name}: findings",
            rows,
            ["code", "erp_id", "email", "severity", "since", "advice"],
        )


@app.command()
def why(
    club_id: ClubId,
    who: Annotated[str, typer.Argument(metavar="EMAIL|ERP_ID")],
    as_json: AsJson = False,
) -> None:
    """Why that person is, or is not, in the Customers group; and what to do."""
    from clubsync.why import why as answer_of

    with _club(club_id) as (driver, number, club):
        answer = answer_of(driver, number, club.name, who, club.zone)
    if as_json:
        _print_json(answer)
        return
    mark = {
        "in": "[green]in[/green]",
        "out": "[red]out[/red]",
        "unknown": "[yellow]unknown[/yellow]",
    }
    out.print(f"{mark[answer['verdict']]}: {answer['sentence']}", highlight=False)
    if answer["timeline"]:
        _table("What happened", answer["timeline"], ["at", "what", "run"])


@app.command()
def changes(
    club_id: ClubId,
    run: Annotated[
        int | None, typer.Option("--run", metavar="RUN", help="Of this run only.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="From this ISO 8601 time on (UTC unless it says)."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The audit: every change with its run, before and after."""
    from clubsync.db import queries

    start = _time(since) if since else None
    with _club(club_id) as (driver, number, club):
        rows = list(queries().changes(driver, club=number, run=run, since=start))
    if as_json:
        _print_json(rows)
    else:
        _table(
            f"{club.name}: changes",
            rows,
            ["run", "at", "kind", "customer", "erp_id", "reason", "before", "after"],
        )


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not an ISO 8601 time, like 2026-11-21T10:05:00Z"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


@app.command()
def holds(
    club_id: Annotated[str | None, typer.Argument(metavar="[CLUB]")] = None, as_json: AsJson = False
) -> None:
    """Deactivations that wait for a person (R15)."""
    from clubsync.config import load_config
    from clubsync.db import Base, queries

    config = load_config()
    wanted = [config.club(club_id)] if club_id else list(config.clubs)
    base, rows = Base(pool_size=1), []
    try:
        with base.reader() as driver:
            numbers = {row["club_id"]: row["club"] for row in queries().club_numbers(driver)}
            for club in wanted:
                if club.id in numbers:
                    found = queries().holds(driver, club=numbers[club.id])
                    rows += [{"club": club.id, **row} for row in found]
    finally:
        base.close()
    if as_json:
        _print_json(rows)
    else:
        columns = ["club", "hold", "state", "deactivations", "causes", "opened_at", "list_hash"]
        _table("Holds", rows, columns)


# --- the data base ----------------------------------------------------------------------------


def _with_base(work: Callable[[Any], None]) -> None:
    from clubsync.db import Base

    base = Base(pool_size=1)
    try:
        work(base)
    finally:
        base.close()


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Bring the schemas up to date; harmless when they are. (Every command does it when it must.)"""

    def upgrade(base: Any) -> None:
        with base.transaction():
            out.print(f"{base.location} is up to date.", highlight=False, soft_wrap=True)

    _with_base(upgrade)


if __name__ == "__main__":
    main()
