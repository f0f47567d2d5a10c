"""Make FAB's first account, and give its roles what the Clubs pages need.

``python -m stack.fab`` runs with Airflow's settings, in a process of its own: Airflow reads them when it is imported.
It reads the password from standard input, since command lines can be read by every user of the machine. It does what
``airflow users create`` and ``airflow roles add-perms`` do, with one start of Airflow in place of three.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

GRANTS: Mapping[str, Sequence[tuple[str, str]]] = {
    "Viewer": [("can_read", "Plugins")],
    "User": [("can_read", "Plugins"), ("menu_access", "HITL Detail")],
}
"""Role -> what FAB gives to Op and Admin only.

Without *Plugins*, Airflow's navigation has no *Clubs*, and its runs have no such tab. Without the menu, users who may
decide on holds do not find them under *Required Actions*.
"""

EMAIL = "admin@example.org"
"""Accounts have one; nothing is sent to it."""


def main() -> int:
    password = sys.stdin.read()

    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    @providers_configuration_loaded
    def make() -> bool:
        with get_application_builder() as builder:  # makes FAB's roles
            security = builder.sm
            for role, permissions in GRANTS.items():
                for action, resource in permissions:
                    permission = security.create_permission(action, resource)
                    security.add_permission_to_role(security.find_role(role), permission)
            administrator = security.find_role("Admin")
            added = security.add_user("admin", "First", "Admin", EMAIL, administrator, password)
            return bool(added)

    return 0 if make() else 1


if __name__ == "__main__":
    sys.exit(main())
