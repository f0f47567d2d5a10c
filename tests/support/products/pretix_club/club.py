"""A club in pretix, inside pretix's own environment: `python club.py PEOPLE_FILE PORT`.

Makes the tables, an organizer, its membership types, customers and memberships, then serves, and prints a line of JSON:
the token of its API, the types' ids by name and the customers' identifiers in order. Tables are made from the
models, as pretix's own tests make them, because its migrations take minutes. It imports nothing of ours.
"""

import datetime
import json
import os
import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.core.servers import basehttp

os.environ["DJANGO_SETTINGS_MODULE"] = "pretix.settings"


class _NoMigrations:
    def __contains__(self, app: str) -> bool:
        return True

    def __getitem__(self, app: str) -> None:
        return None


def main(people_file: str, port: int) -> None:
    settings.MIGRATION_MODULES = _NoMigrations()
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    club = make(json.loads(Path(people_file).read_text()))

    def opened(_: int) -> None:
        print("CLUB " + json.dumps(club), flush=True)

    application = basehttp.get_internal_wsgi_application()
    basehttp.run("127.0.0.1", port, application, threading=True, on_bind=opened)


def make(people: list) -> dict:  # type: ignore[type-arg]  # what json.loads returns
    from django_scopes import scopes_disabled
    from pretix.base.models import Customer, Membership, MembershipType, Organizer, Team

    now = datetime.datetime.now(datetime.UTC)
    days = {
        "date_start": now - datetime.timedelta(days=90),
        "date_end": now + datetime.timedelta(days=900),
    }
    with scopes_disabled():
        club = Organizer.objects.create(name="Club", slug="club")
        club.settings.customer_accounts = True
        team = Team.objects.create(organizer=club, name="sync", all_organizer_permissions=True)
        types = {
            name: MembershipType.objects.create(organizer=club, name={"en": name})
            for name in ("Gold", "Kids", "Pool")
        }
        customers = Customer.objects.bulk_create(
            Customer(
                organizer=club,
                identifier=f"C{number:05}",
                email=person["email"],
                name_parts={
                    "_scheme": "given_family",
                    "given_name": person["first"],
                    "family_name": person["last"],
                },
                is_active=person["active"],
            )
            for number, person in enumerate(people)
        )
        Membership.objects.bulk_create(
            Membership(customer=customer, membership_type=types[name], **days)
            for customer, person in zip(customers, people, strict=True)
            for name in person["groups"]
        )
        return {
            "token": team.tokens.create(name="sync").token,
            "types": {name: made.pk for name, made in types.items()},
            "ids": [customer.identifier for customer in customers],
        }


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
