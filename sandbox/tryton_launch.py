"""Run `trytond` or `trytond-admin` for the sandbox: `python -m sandbox.tryton_launch server|admin …`.

Two checks of Tryton would reject the people of the sandbox, whose emails and phones must never reach anybody: the
DNS lookup of an email's domain (example.com accepts no mail), and whether a phone number is assigned (those
reserved for fiction are not). Both are switched off. Passwords are hashed with the cheapest parameters, because
hashing is most of the cost of a login to a small database, and the password of a sandbox is no secret. Everything
else is Tryton as it is.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import email_validator
import phonenumbers
from pwdlib.hashers.argon2 import Argon2Hasher


def main() -> None:
    """Run the named program with the rest of the command line."""
    validate = email_validator.validate_email

    def without_dns(email: str, **options: Any) -> email_validator.ValidatedEmail:
        return validate(email, **{**options, "check_deliverability": False})

    # Before Tryton imports them.
    setattr(email_validator, "validate_email", without_dns)  # noqa: B010  # mypy rejects an assignment with another signature
    setattr(phonenumbers, "is_valid_number", phonenumbers.is_possible_number)  # noqa: B010  # mypy rejects an assignment with another signature
    initialise = Argon2Hasher.__init__

    def cheaply(self: Argon2Hasher) -> None:
        initialise(self, time_cost=1, memory_cost=64, parallelism=1)

    setattr(Argon2Hasher, "__init__", cheaply)  # noqa: B010  # mypy rejects an assignment with another signature
    program = sys.argv.pop(1)
    module = import_module({"server": "trytond.cli", "admin": "trytond.cli.admin"}[program])
    sys.argv[0] = {"server": "trytond", "admin": "trytond-admin"}[program]
    module.main()


if __name__ == "__main__":
    main()
