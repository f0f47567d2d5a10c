"""The heart: `plan(records, findings, base) -> Plan`. Pure, vectorised, no I/O (checked by import-linter).

It answers four questions, in this order:

1. `contest`: who holds which email, and who has to wait (R2, R7, R9, R14)?
2. `moves`: which base customer is whose now: adopted, merged, new (R1, R8, R10)?
3. `outcome`: what is each customer from now on: access, groups, email, fields (R3 to R6, R12, R13)?
4. `changes`: what differs from what was, by kind, one row per customer and kind (R17, R18)?
"""

from clubsync.diff.plan import plan
from clubsync.model import KINDS, Plan

__all__ = ["KINDS", "Plan", "plan"]
