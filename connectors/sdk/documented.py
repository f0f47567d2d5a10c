"""What every setting of a connector means, as JSON Schema: from the settings classes and their docstrings.

Editors complete `settings:` of a club by it, and `docs/settings/` is generated from it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from connectors.sdk.base import Settings

#: `:param a, b: text`, to the next one or the end.
_PARAM = re.compile(r":param (?P<names>[\w, ]+):\s*(?P<text>.*?)(?=\s*:param |\s*\Z)", re.DOTALL)


def summary(cls: type[BaseModel]) -> str:
    """A class's docstring without its parameters, in one line."""
    text = inspect.cleandoc(vars(cls).get("__doc__") or "").split(":param ")[0]
    return " ".join(text.split())


def descriptions(cls: type[BaseModel]) -> dict[str, str]:
    """Setting, by its name in Python -> what it means, from the docstrings of the class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        text = inspect.cleandoc(vars(base).get("__doc__") or "")
        for match in _PARAM.finditer(text):
            meaning = " ".join(match["text"].split())
            found |= dict.fromkeys((name.strip() for name in match["names"].split(",")), meaning)
    return found


class _Documented(GenerateJsonSchema):
    """A schema whose descriptions are the docstrings'."""

    def model_schema(self, schema: Any) -> dict[str, Any]:
        made = super().model_schema(schema)
        cls: type[BaseModel] = schema["cls"]
        made["description"] = summary(cls)
        meanings = descriptions(cls)
        for name, known in cls.model_fields.items():
            one = made["properties"][known.alias or name]
            one.pop("title", None)
            if name in meanings:
                one["description"] = meanings[name]
        return made

    def timedelta_schema(self, schema: Any) -> dict[str, Any]:
        return {"anyOf": [{"type": "number"}, {"type": "string", "format": "duration"}]}

    def encode_default(self, dft: Any) -> Any:
        """Defaults as YAML writes them, because editors insert them."""
        return (
            int(dft.total_seconds()) if isinstance(dft, timedelta) else super().encode_default(dft)
        )


def json_schema(cls: type[Settings], name: str) -> tuple[str, dict[str, Any]]:
    """The JSON Schema of a connector's settings.

    :param name: the connector's, which the names of its definitions begin with.
    :returns: the name of the definition of `cls`, and all definitions by name.
    """
    made: Mapping[str, Any] = cls.model_json_schema(
        ref_template=f"#/$defs/{name}.{{model}}", schema_generator=_Documented
    )
    defs = {f"{name}.{key}": value for key, value in made.get("$defs", {}).items()}
    root = f"{name}.{cls.__name__}"
    return root, {**defs, root: {k: v for k, v in made.items() if k not in ("$defs", "title")}}
