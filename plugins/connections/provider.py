"""clubsync as a provider of Airflow: a connection type per ERP, and its form.

Airflow loads this by the entry point `apache_airflow_provider` in every process that looks for hooks or operators,
including every task: heavy libraries must not be imported here, and hooks are referred to by name.
"""

from __future__ import annotations

from typing import Any

from connectors.registry import CONNECTORS
from connectors.sdk.forms import Extra, Form, form_of

PREFIX = "clubsync_"


def provider_info() -> dict[str, Any]:
    """The provider's description, as in Airflow's provider_info.schema.json."""
    return {
        "package-name": "clubsync",
        "name": "clubsync",
        "description": "Keeps the customers of many clubs in sync with the ERP of each club.",
        "connection-types": [_connection_type(name, form_of(name)) for name in CONNECTORS],
        "asset-uris": [
            {
                "schemes": ["clubsync"],
                "handler": None,
                "to_openlineage_converter": "plugins.orchestration.lineage.to_openlineage",
            }
        ],
    }


def hook_class_name(erp: str) -> str:
    """The name of the ERP's hook in `plugins.connections.hooks`."""
    return "".join(part.capitalize() for part in erp.split("_")) + "Hook"


def _connection_type(erp: str, form: Form) -> dict[str, Any]:
    hidden = ["schema", "port"]  # the port is part of the address
    labels = {"host": form.address}
    hints = {"host": form.example}
    for field, label, hint in (
        ("login", form.login, form.login_hint),
        ("password", form.password, form.password_hint),
    ):
        if label is None:
            hidden.append(field)
        else:
            labels[field] = label
            hints[field] = hint
    return {
        "connection-type": PREFIX + erp,
        "hook-class-name": f"plugins.connections.hooks.{hook_class_name(erp)}",
        "hook-name": f"clubsync: {form.title}",
        "ui-field-behaviour": {
            "hidden-fields": hidden,
            "relabeling": labels,
            "placeholders": {field: hint for field, hint in hints.items() if hint},
        },
        "conn-fields": {extra.name: _field(extra) for extra in form.fields},
    }


def _field(extra: Extra) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": ["string", "null"]}
    if extra.secret:
        schema["format"] = "password"
    elif extra.lines:
        schema["format"] = "multiline"
    if extra.section:
        schema["section"] = extra.section
    return {"label": extra.label, "description": extra.help, "schema": schema}
