"""Run `trytond` or `trytond-admin` for the sandbox: `python -m sandbox.tryton_launch server|admin …`.

Two checks of Tryton would keep the sandbox's people out, because nobody must ever be reached by what the
sandbox invents: the DNS question whether an email's domain takes mail (example.com does not), and the
question whether a phone number is given to anybody (those kept for films are not). Both are answered
with yes. Passwords are hashed quickly, because hashing is nearly all that a log-in to a small database
costs, and the password of a sandbox is no secret. Everything else is Tryton's own.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import email_validator
import phonenumbers
from pwdlib.hashers.argon2 import Argon2Hasher


def main() -> None:
    """Become the named program; the rest of the command line is its own."""
    really = email_validator.validate_email

    def without_dns(email: str, **options: Any) -> Any:
        return really(email, **{**options, "check_deliverability": False})

    # Before Tryton imports them. setattr, because they are replaced under another signature.
    setattr(email_validator, "validate_email", without_dns)  # noqa: B010  # another signature: mypy refuses a plain assignment
    setattr(phonenumbers, "is_valid_number", phonenumbers.is_possible_number)  # noqa: B010  # another signature: mypy refuses a plain assignment
    slowly = Argon2Hasher.__init__

    def quickly(self: Argon2Hasher) -> None:
        slowly(self, time_cost=1, memory_cost=64, parallelism=1)

    setattr(Argon2Hasher, "__init__", quickly)  # noqa: B010  # another signature: mypy refuses a plain assignment
    program = sys.argv.pop(1)
    module = import_module({"server": "trytond.cli", "admin": "trytond.cli.admin"}[program])
    sys.argv[0] = {"server": "trytond", "admin": "trytond-admin"}[program]
    module.main()


if __name__ == "__main__":
    main()
