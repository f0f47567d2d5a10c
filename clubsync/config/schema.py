"""The JSON Schema of clubs.yaml, for editors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import GenerateJsonSchema

from clubsync.config.model import ClubConfig, Common, WebhookConfig


def _written(value: timedelta) -> str:
    """A duration as clubs.yaml writes it, in the largest unit that divides it."""
    seconds = int(value.total_seconds())
    size, unit = next(
        (size, unit)
        for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
        if seconds % size == 0
    )
    return f"{seconds // size}{unit}"


class _EditorSchema(GenerateJsonSchema):
    """Writes defaults as in clubs.yaml (5m, not PT5M), because editors insert them."""

    def encode_default(self, dft: Any) -> Any:
        return _written(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


class Config(BaseModel):
    """clubs.yaml as a whole."""

    model_config = ConfigDict(extra="forbid")

    defaults: Common = Common()
    clubs: tuple[ClubConfig, ...] = ()
    webhooks: tuple[WebhookConfig, ...] = ()


def json_schema() -> dict[str, Any]:
    """JSON Schema of clubs.yaml, for editors; config/clubs.schema.json is a copy of it.

    `settings` of a club are those of its connector.
    """
    from connectors.registry import CONNECTORS, connector_class
    from connectors.sdk.documented import json_schema as settings_schema

    schema = Config.model_json_schema(schema_generator=_EditorSchema)
    club = schema["$defs"]["ClubConfig"]
    club["allOf"] = []
    for name in sorted(CONNECTORS):
        root, definitions = settings_schema(connector_class(name).settings_type, name)
        schema["$defs"] |= definitions
        required = {"required": ["settings"]} if definitions[root].get("required") else {}
        settings = {"settings": {"$ref": f"#/$defs/{root}"}}
        club["allOf"].append(
            {
                "if": {"properties": {"erp": {"const": name}}, "required": ["erp"]},
                "then": {"properties": settings, **required},
            }
        )
    return {"$schema": _EditorSchema.schema_dialect, **schema, "title": "clubs.yaml"}
