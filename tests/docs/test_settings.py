"""docs/settings/: each setting of each connector has a meaning, and an example that is valid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from clubsync.config import json_schema as schema_of_clubs
from clubsync.config import load_config
from connectors.registry import CONNECTORS, connector_class
from connectors.sdk.documented import json_schema
from stack import reference

ROOT = Path(__file__).resolve().parents[2]
EACH = pytest.mark.parametrize("name", sorted(CONNECTORS))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return schema_of_clubs()


@EACH
def test_every_setting_says_what_it_means_and_has_an_example(name: str) -> None:
    _, definitions = json_schema(connector_class(name).settings_type, name)
    found = reference.examples_of(name)
    missing = [
        f"{definition}.{key}: {what}"
        for definition, made in definitions.items()
        for key, one in made.get("properties", {}).items()
        for what, there in (
            ("meaning", one.get("description")),
            ("example", (definition.split(".")[-1], key) in found),
        )
        if not there
    ]
    assert missing == []


@EACH
def test_its_examples_are_a_clubs_yaml(name: str, schema: dict[str, Any]) -> None:
    path = reference.EXAMPLES / f"{name}.yaml"
    assert {club.erp for club in load_config(path).clubs} == {name}
    jsonschema.validate({"clubs": reference.clubs_of(name)}, schema)


@EACH
def test_editors_know_its_settings(name: str, schema: dict[str, Any]) -> None:
    (club, *_) = reference.clubs_of(name)
    wrong = {**club, "settings": {**club["settings"], "colour": "red"}}
    with pytest.raises(jsonschema.ValidationError, match="colour"):
        jsonschema.validate({"clubs": [wrong]}, schema)


def test_the_pages_are_what_the_classes_say() -> None:
    """`make settings` writes them."""
    stored = {path.name: path.read_text(encoding="utf-8") for path in reference.PAGES.glob("*.md")}
    assert stored == reference.pages()
