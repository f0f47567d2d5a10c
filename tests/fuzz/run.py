"""Run a target over many inputs, and count them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.targets import TOLD, Target


@dataclass
class Counted:
    """What came of a target's inputs. :param read: they were read; :param told: they were refused with a sentence."""

    name: str
    read: int = 0
    told: int = 0

    @property
    def inputs(self) -> int:
        return self.read + self.told


def fuzz(target: Target, inputs: int) -> Counted:
    """Give a target that many inputs.

    :raises Exception: one of them ended otherwise than it may, made as small as it can be.
    """
    counted = Counted(target.name)

    @settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        derandomize=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(target.inputs)
    def each(one: Any) -> None:
        try:
            target.parse(one)
        except TOLD:
            counted.told += 1
        else:
            counted.read += 1

    each()
    return counted
