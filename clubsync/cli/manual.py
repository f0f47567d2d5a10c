"""`clubsync base` and `clubsync app`: manual actions, and what the app does to its users."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clubsync.cli.common import (
    OR_STDIN,
    AsJson,
    ClubId,
    entered,
    entered_one,
    open_base,
    open_club,
    out,
    print_json,
    table,
)

if TYPE_CHECKING:
    from clubsync.config import ClubConfig
    from clubsync.store.database import Base

base_app = typer.Typer(
    help="Edit a club's customers and decide requests by hand.", no_args_is_help=True
)
app_app = typer.Typer(
    help="Create app accounts, confirm and change their emails.",
    no_args_is_help=True,
)

Customer = Annotated[
    str, typer.Argument(metavar="CUSTOMER", help=f"The customer's id or email. {OR_STDIN}")
]
User = Annotated[
    str, typer.Argument(metavar="USER", help=f"The app user's id or email. {OR_STDIN}")
]
Request = Annotated[
    str,
    typer.Argument(
        metavar="REQUEST", help=f"The request's id, or the app user's email. {OR_STDIN}"
    ),
]
Email = Annotated[str, typer.Argument(metavar="EMAIL", help=f"An email address. {OR_STDIN}")]
FirstName = Annotated[
    str | None, typer.Option("--first-name", help=f"The new first name. {OR_STDIN}")
]
LastName = Annotated[str | None, typer.Option("--last-name", help=f"The new last name. {OR_STDIN}")]
Phone = Annotated[
    str | None,
    typer.Option(
        "--phone", help=f"A phone number; without a prefix, of the club's country. {OR_STDIN}"
    ),
]
Unconfirmed = Annotated[
    bool, typer.Option("--unconfirmed", help="The user has not confirmed this email yet.")
]


class Provider(StrEnum):
    """Logins that may give no usable email."""

    facebook = "facebook"
    apple = "apple"


def _print_result(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        text = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in result.items())
        out.say(f"Done: {text}.")


# --- customers ----------------------------------------------------------------------------------


@base_app.command("add")
def add(
    club_id: ClubId,
    email: Email,
    first_name: Annotated[str, typer.Option("--first-name", help=f"The first name. {OR_STDIN}")],
    last_name: Annotated[str, typer.Option("--last-name", help=f"The last name. {OR_STDIN}")],
    phone: Phone = None,
    as_json: AsJson = False,
) -> None:
    """Add a customer, or bring back one who was detached.

    Lifts the erasure of a person with this email.
    """
    from clubsync.config import load_config
    from clubsync.manual import customers

    club = load_config().club(club_id)
    email = entered_one("email", email)
    first_name = entered_one("first name", first_name)
    last_name = entered_one("last name", last_name)
    (phone,) = entered(phone=phone)
    with open_base() as base:
        _print_result(customers.add(base, club, email, first_name, last_name, phone), as_json)


@base_app.command("edit")
def edit(
    club_id: ClubId,
    customer: Customer,
    first_name: FirstName = None,
    last_name: LastName = None,
    phone: Phone = None,
    email: Annotated[
        str | None,
        typer.Option(
            "--email", help=f"The new email; only for a customer without an ERP id. {OR_STDIN}"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Edit a customer. An edited field stays until its value in the ERP changes."""
    from clubsync.config import load_config
    from clubsync.manual import customers

    club = load_config().club(club_id)
    customer = entered_one("customer", customer)
    first_name, last_name, phone, email = entered(
        first_name=first_name, last_name=last_name, phone=phone, email=email
    )
    with open_base() as base:
        result = customers.edit(
            base,
            club,
            customer,
            email=email,
            first_name=first_name,
            last_name=last_name,
            phone=phone,
        )
    _print_result(result, as_json)


@base_app.command("detach")
def detach(club_id: ClubId, customer: Customer, as_json: AsJson = False) -> None:
    """Take away a customer's access, whatever the ERP says.

    They come back when the ERP activates them again, or with `clubsync base add`.
    """
    from clubsync.config import load_config
    from clubsync.manual import customers

    club = load_config().club(club_id)
    customer = entered_one("customer", customer)
    with open_base() as base:
        _print_result(customers.detach(base, club, customer), as_json)


# --- requests -----------------------------------------------------------------------------------


@base_app.command("request")
def request(club_id: ClubId, user: User, as_json: AsJson = False) -> None:
    """Request, for an app user, to become a customer of the club."""
    from clubsync.config import load_config
    from clubsync.manual import requests

    club = load_config().club(club_id)
    user = entered_one("user", user)
    with open_base() as base:
        _print_result(requests.request(base, club, user), as_json)


@base_app.command("requests")
def list_requests(
    club_id: ClubId,
    everything: Annotated[
        bool, typer.Option("--all", help="Include accepted and refused requests.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the pending requests of app users."""
    from clubsync.store.database import queries

    with open_club(club_id) as (driver, club_no, club):
        rows = list(queries().requests(driver, club=club_no, include_all=everything))
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
    """Accept a request: the app user becomes a customer."""
    from clubsync.config import load_config
    from clubsync.manual import requests

    club = load_config().club(club_id)
    request_id = entered_one("request", request_id)
    with open_base() as base:
        _print_result(requests.accept(base, club, request_id), as_json)


@base_app.command("refuse")
def refuse(club_id: ClubId, request_id: Request, as_json: AsJson = False) -> None:
    """Refuse a request."""
    from clubsync.config import load_config
    from clubsync.manual import requests

    club = load_config().club(club_id)
    request_id = entered_one("request", request_id)
    with open_base() as base:
        _print_result(requests.refuse(base, club, request_id), as_json)


# --- app users ----------------------------------------------------------------------------------


def _clubs(base: Base) -> dict[int, ClubConfig]:
    """The configured clubs that the database knows, by their number."""
    from clubsync.config import load_config
    from clubsync.store.database import queries

    config = load_config()
    with base.transaction() as driver:
        numbers = {row["club_id"]: row["club"] for row in queries().club_numbers(driver)}
    return {numbers[club.id]: club for club in config.clubs if club.id in numbers}


@app_app.command("register")
def register(
    email: Annotated[
        str | None, typer.Argument(metavar="EMAIL", help=f"The account's email. {OR_STDIN}")
    ] = None,
    unconfirmed: Unconfirmed = False,
    provider: Annotated[
        Provider | None,
        typer.Option("--provider", help="The account uses this login and has no usable email."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create an app account."""
    from clubsync.manual import app_users

    if email is None and provider is None:
        raise typer.BadParameter("Give an EMAIL or a --provider.")
    (email,) = entered(email=email)
    with open_base() as base:
        result = app_users.register(
            base,
            _clubs(base),
            email,
            confirmed=not unconfirmed,
            provider=provider.value if provider else "email",
        )
    _print_result(result, as_json)


@app_app.command("confirm")
def confirm(user: User, as_json: AsJson = False) -> None:
    """Confirm the email of an app account."""
    from clubsync.manual import app_users

    user = entered_one("user", user)
    with open_base() as base:
        _print_result(app_users.confirm(base, _clubs(base), user), as_json)


@app_app.command("set-email")
def set_email(
    user: User,
    email: Email,
    unconfirmed: Unconfirmed = False,
    as_json: AsJson = False,
) -> None:
    """Change the email of an app account."""
    from clubsync.manual import app_users

    user, email = entered_one("user", user), entered_one("email", email)
    with open_base() as base:
        result = app_users.set_email(base, _clubs(base), user, email, confirmed=not unconfirmed)
        _print_result(result, as_json)
