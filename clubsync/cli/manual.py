"""`clubsync base` and `clubsync app`: what a club does by hand, and what the app does to its users."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from clubsync.cli.common import AsJson, ClubId, open_base, open_club, out, print_json, table

base_app = typer.Typer(
    help="What a club does by hand: its own customers and requests.", no_args_is_help=True
)
app_app = typer.Typer(
    help="What the app does to its users: accounts and emails.", no_args_is_help=True
)

Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="A customer's id, or the email.")]
User = Annotated[str, typer.Argument(metavar="USER", help="An app user's id, or the email.")]
Request = Annotated[
    str, typer.Argument(metavar="REQUEST", help="A request's id, or the user's email.")
]
FirstName = Annotated[str | None, typer.Option("--first-name")]
LastName = Annotated[str | None, typer.Option("--last-name")]
Phone = Annotated[str | None, typer.Option("--phone", help="As written in the club's country.")]
Unconfirmed = Annotated[
    bool, typer.Option("--unconfirmed", help="The person has not confirmed the email yet.")
]


class Provider(StrEnum):
    """Log-ins that may give no usable email."""

    facebook = "facebook"
    apple = "apple"


def _tell(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(made)
    else:
        text = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in made.items())
        out.print(f"Done: {text}.", highlight=False)


@base_app.command("add")
def add(
    club_id: ClubId,
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    first_name: Annotated[str, typer.Option("--first-name")],
    last_name: Annotated[str, typer.Option("--last-name")],
    phone: Phone = None,
    as_json: AsJson = False,
) -> None:
    """Add a customer by hand, or bring back one who was detached."""
    from clubsync.config import load_config
    from clubsync.manual import customers

    club = load_config().club(club_id)
    with open_base() as base:
        _tell(customers.add(base, club, email, first_name, last_name, phone), as_json)


@base_app.command("edit")
def edit(
    club_id: ClubId,
    customer: Customer,
    first_name: FirstName = None,
    last_name: LastName = None,
    phone: Phone = None,
    email: Annotated[
        str | None, typer.Option("--email", help="Of a customer without an ERP id only.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Edit a customer; a field edited by hand stays until the ERP's own value changes."""
    from clubsync.config import load_config
    from clubsync.manual import customers

    club = load_config().club(club_id)
    with open_base() as base:
        made = customers.edit(
            base,
            club,
            customer,
            email=email,
            first_name=first_name,
            last_name=last_name,
            phone=phone,
        )
    _tell(made, as_json)


@base_app.command("detach")
def detach(club_id: ClubId, customer: Customer, as_json: AsJson = False) -> None:
    """Take a customer out by hand; the sync does not bring them back by itself."""
    from clubsync.config import load_config
    from clubsync.manual import customers

    club = load_config().club(club_id)
    with open_base() as base:
        _tell(customers.detach(base, club, customer), as_json)


@base_app.command("request")
def request(club_id: ClubId, user: User, as_json: AsJson = False) -> None:
    """An app user asks to be a customer of the club."""
    from clubsync.config import load_config
    from clubsync.manual import customers

    club = load_config().club(club_id)
    with open_base() as base:
        _tell(customers.request(base, club, user), as_json)


@base_app.command("requests")
def requests(
    club_id: ClubId,
    everything: Annotated[bool, typer.Option("--all", help="Decided ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """The requests that wait for the club."""
    from clubsync.store.database import queries

    with open_club(club_id) as (driver, number, club):
        rows = list(queries().requests(driver, club=number, include_all=everything))
    if as_json:
        print_json(rows)
    else:
        table(
            f"{club.name}: requests",
            rows,
            ["id", "user", "email", "confirmed", "state", "created_at"],
        )


@base_app.command("accept")
def accept(club_id: ClubId, request_id: Request, as_json: AsJson = False) -> None:
    """Accept a request: the user becomes a customer."""
    from clubsync.config import load_config
    from clubsync.manual import customers

    club = load_config().club(club_id)
    with open_base() as base:
        _tell(customers.accept(base, club, request_id), as_json)


@base_app.command("refuse")
def refuse(club_id: ClubId, request_id: Request, as_json: AsJson = False) -> None:
    """Refuse a request."""
    from clubsync.config import load_config
    from clubsync.manual import customers

    club = load_config().club(club_id)
    with open_base() as base:
        _tell(customers.refuse(base, club, request_id), as_json)


def erase(
    club_id: ClubId,
    who: Annotated[str, typer.Argument(metavar="EMAIL|ERP_ID")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase a person from a club, stored snapshots and audit too; the next sync does not bring them back.

    It cannot be undone. A new ERP id, or adding them by hand, lifts it.
    """
    from clubsync.config import load_config
    from clubsync.manual.erasure import erase as erase_person
    from clubsync.store.snapshots import Store

    club = load_config().club(club_id)
    if not yes and not as_json:
        typer.confirm(f"Erase this person from {club.name}, for good?", abort=True)
    with open_base() as base:
        _tell(erase_person(base, Store(), club, who), as_json)


def _clubs(base: Any) -> dict[int, Any]:
    """The registered clubs of clubs.yaml, by number."""
    from clubsync.config import load_config
    from clubsync.store.database import queries

    config = load_config()
    with base.transaction() as driver:
        numbers = {row["club_id"]: row["club"] for row in queries().club_numbers(driver)}
    return {numbers[club.id]: club for club in config.clubs if club.id in numbers}


@app_app.command("register")
def register(
    email: Annotated[str | None, typer.Argument(metavar="EMAIL")] = None,
    unconfirmed: Unconfirmed = False,
    provider: Annotated[
        Provider | None, typer.Option("--provider", help="A log-in that gave no usable email.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A person makes an account in the app."""
    from clubsync.manual import customers

    if email is None and provider is None:
        raise typer.BadParameter("give an EMAIL, or --provider facebook|apple")
    with open_base() as base:
        made = customers.register(
            base,
            _clubs(base),
            email,
            confirmed=not unconfirmed,
            provider=provider.value if provider else "email",
        )
    _tell(made, as_json)


@app_app.command("confirm")
def confirm(user: User, as_json: AsJson = False) -> None:
    """A person confirms the email of their account."""
    from clubsync.manual import customers

    with open_base() as base:
        _tell(customers.confirm(base, _clubs(base), user), as_json)


@app_app.command("set-email")
def set_email(
    user: User,
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    unconfirmed: Unconfirmed = False,
    as_json: AsJson = False,
) -> None:
    """A person changes the email of their account."""
    from clubsync.manual import customers

    with open_base() as base:
        _tell(
            customers.set_email(base, _clubs(base), user, email, confirmed=not unconfirmed), as_json
        )
