"""docs/settings/: each setting of each connector has a meaning, and an example that is valid."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from clubsync.config import json_schema as schema_of_clubs
from clubsync.config import load_config
from connectors.registry import CONNECTORS, connector_class
from connectors.sdk.documented import json_schema
from stack import reference

ROOT = Path(__file__).resolve().parents[2]
EACH = pytest.mark.parametrize("name", sorted(CONNECTORS))


@pytest.fixture(scope="module")
def schema() -> Validator:
    """Made once: `jsonschema.validate` checks the schema itself each time, which takes a second."""
    schema = schema_of_clubs()
    kind = validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


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
def test_its_examples_are_a_clubs_yaml(name: str, schema: Validator) -> None:
    path = reference.EXAMPLES / f"{name}.yaml"
    assert {club.erp for club in load_config(path).clubs} == {name}
    schema.validate({"clubs": reference.clubs_of(name)})


@EACH
def test_editors_know_its_settings(name: str, schema: Validator) -> None:
    (club, *_) = reference.clubs_of(name)
    wrong = {**club, "settings": {**club["settings"], "colour": "red"}}
    with pytest.raises(ValidationError, match="colour"):
        schema.validate({"clubs": [wrong]})


def test_the_pages_are_what_the_classes_say() -> None:
    """`make settings` writes them."""
    stored = {path.name: path.read_text(encoding="utf-8") for path in reference.PAGES.glob("*.md")}
    assert stored == reference.pages()
