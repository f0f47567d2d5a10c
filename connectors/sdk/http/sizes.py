"""How much a JSON response asks for before it is parsed: 60 MB of `{}` are 4 GB of objects."""

from __future__ import annotations

import re

import numpy as np

from connectors.sdk.errors import ContractChanged, LimitExceeded
from connectors.sdk.http.limits import MAX_VALUES, HttpLimits

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_PART = 2**20


def check_json(content: bytes, limits: HttpLimits, where: str) -> None:
    """Check how many values a JSON text has, and how deep they are nested.

    Brackets and commas in texts are counted too, unless the count would be too high with them.

    :param where: ERP, method and path, for the message.
    :raises LimitExceeded: there are too many.
    :raises ContractChanged: they are nested too deep.
    """
    values, depth = _measured(content)
    if values > limits.max_values or depth > limits.max_depth:
        values, depth = _measured(_STRING.sub(b'""', content))
    if values > limits.max_values:
        raise LimitExceeded(
            f"{where} sent more than {limits.max_values} values in one response.",
            setting=MAX_VALUES,
        )
    if depth > limits.max_depth:
        raise ContractChanged(f"{where} responded with JSON that is nested too deeply.")


def _measured(content: bytes) -> tuple[int, int]:
    """How many values there are at most, and how deep the deepest is."""
    values, depth, deepest = 1, 0, 0
    for start in range(0, len(content), _PART):
        part = np.frombuffer(content, np.uint8, min(_PART, len(content) - start), start)
        opened = (part == 0x7B) | (part == 0x5B)
        closed = (part == 0x7D) | (part == 0x5D)
        values += int(np.count_nonzero(part == 0x2C)) + int(np.count_nonzero(opened))
        steps = opened.astype(np.int8) - closed.astype(np.int8)
        walked = np.cumsum(steps[steps != 0], dtype=np.int64)
        if walked.size:
            deepest = max(deepest, depth + int(walked.max()))
            depth += int(walked[-1])
    return values, deepest
