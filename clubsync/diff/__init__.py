"""`plan(records, findings, base) -> Plan`: what to write. Pure, vectorised, no I/O (checked by import-linter).

`plan` begins with the table of cases. It goes in this order:

1. `situations`: in which situation is each record? On the way `email_claims` says which record holds which
   email (R2, R7, R9, R14), and `merges` which record has ended in which (R10).
2. `reassign`: which base customer belongs to which record now: adopted, merged, added (R1, R8, R10)?
3. `outcome`: what is each customer from now on: access, groups, email, fields (R3 to R6, R12, R13)?
4. `changes`, `findings`, `mirror`: what differs from what was (R17, R18), what is told (R22), and what is
   remembered of the ERP's records.
"""

from clubsync.diff.plan import plan
from clubsync.model import KINDS, Plan

__all__ = ["KINDS", "Plan", "plan"]
