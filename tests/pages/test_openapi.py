"""The API keeps what its OpenAPI says, and nothing that can be sent makes it fall over."""

from __future__ import annotations

from typing import Any, TypeAlias

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    response_schema_conformance,
    status_code_conformance,
)

from tests.pages.conftest import Site

#: Its schema's kinds of parameters, responses and security are not part of what is public.
Operation: TypeAlias = APIOperation[Any, Any, Any, Any]


def test_no_answer_is_a_fault_and_all_are_as_written(site: Site) -> None:
    """As an admin with a token, over a club that is there and others that are not."""
    program = site.program("admin")
    document = program.get("/api/v1/openapi.json").json()
    assert "/api/v1/clubs/{club}/why" in document["paths"]
    assert not any(path.startswith("/pages") for path in document["paths"])
    for path in document["paths"].values():  # half of what is asked is about a club of ours
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                if parameter["name"] == "wait":
                    parameter["schema"]["maximum"] = 0.01
                if parameter["name"] == "club" and "schema" in parameter:
                    parameter["schema"] = {
                        "type": "string",
                        "enum": [site.club.id, site.other.id, "no-such-club"],
                    }
    schema = schemathesis.openapi.from_dict(document)
    schema.app = site.app  # asked without a network
    asked: list[tuple[str, int]] = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        _ask(result.ok(), dict(program.headers), asked)
    assert len({label for label, _ in asked}) > 40
    assert {200, 404, 422} <= {status for _, status in asked}


def _ask(operation: Operation, headers: dict[str, str], asked: list[tuple[str, int]]) -> None:
    """A dozen requests of one operation, each of which has to be answered as its OpenAPI says."""

    @given(case=operation.as_strategy())
    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case[Operation]) -> None:
        answer = case.call(headers=headers)
        case.validate_response(
            answer,
            checks=[not_a_server_error, status_code_conformance, response_schema_conformance],
        )
        asked.append((operation.label, answer.status_code))

    ask()
