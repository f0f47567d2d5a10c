"""R14, a walk is not a moment: what it shows of the records and does not prove, in plain Python (tests only).

Written from the rule, one record at a time: "every access loss that the record's own latest words do not state, i.e.
by absence, by another record's claim to the email, by a merge found through an email, or by a membership missing from
a list of its own, is only suspected". An email that would move from somebody with access is suspected too, and so is
access that would be given because somebody, or a membership, is missing.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.records import Records, Sign
from tests.support.words import Customer, valid


class Walks(Records):
    """What is suspected of a club's records."""

    def unproved(self, base: list[Customer]) -> set[Sign]:
        """What this reading shows and does not prove.

        :param base: as it is before the reading is loaded.
        """
        self._own = {c.erp_id: c for c in base if c.erp_id}
        self._holder = {c.email: c for c in base if c.inside and c.email}
        found = {(i, "absent") for i in self.missing}
        for i in self.shown:
            if not self.proof.moment:
                found |= {(i, sign) for sign in self._emails(i)}
                found |= {(i, sign) for sign in self._dependant(i)}
                if not self.proof.absence:
                    found |= {(i, sign) for sign in self._guardian_missing(i)}
            if not self.proof.memberships:
                found |= {(i, sign) for sign in self._fewer_memberships(i)}
            if self.proof.joined:
                found |= {(i, sign) for sign in self._no_membership(i)}
        while given_up := {s for s in found if self._given_up(s, found)}:
            found -= given_up
        return found

    def _given_up(self, sign: Sign, found: set[Sign]) -> bool:
        """Whether the email is one that its holder's own record, of which nothing is suspected, has left."""
        i, what = sign
        holder = self._holder.get(self.now[i].email or "") if what.startswith("email:") else None
        h = holder.erp_id if holder is not None and holder is not self._own.get(i) else None
        if h is None or (self._inside(i) and self._others(i)) or i in self.owner:
            return False
        doubtful = {j for j, _ in found - self.shown_twice}
        leaves = h in self.shown and self._newly(h) and h not in self.reused
        return leaves and h not in doubtful

    def keep_signs(self, awaited: set[Sign], number: int) -> None:
        """What is still awaited after this reading; only a certified one shows anything for the first time."""
        silent = {s for s in self.shown_before if not self.whole and s[0] not in self.shown}
        kept = {s: n for s, n in self.shown_before.items() if s in awaited | silent}
        new = dict.fromkeys(awaited, number) if self.whole else {}
        self.shown_before = new | kept

    # --- what a record says of itself, and of others --------------------------------------------

    def _inside(self, i: str) -> bool:
        return i in self._own and self._own[i].inside

    def _says_no(self, i: str) -> bool:
        """The record itself says that it gives no access: that is no suspicion."""
        record = self.now[i]
        over = record.status not in ("active", "unknown") or i in self.merge_targets
        return over or record.former

    def _without_group(self, i: str) -> bool:
        """R3: its groups, or those that ended, keep it out."""
        ended = [day for day in self.listed.get(i, {}).values() if day and day < self.at.date()]
        over = bool(self.now[i].groups or ended) and not self.current(i)
        return self.now[i].former or self.off(i) or over

    def _newly(self, i: str) -> bool:
        """Whether the record shows a valid email that it did not have when it was last loaded."""
        email = self.now[i].email
        return valid(email) and (i not in self.known or self.known[i].email != email)

    def _gains(self, i: str) -> bool:
        return self.access[i] == "yes" and not self._inside(i)

    # --- the signs --------------------------------------------------------------------------------

    def _emails(self, i: str) -> Iterator[str]:
        """R7, R9: an email newly taken on, which somebody else with access has, or which others show too."""
        email = self.now[i].email
        if not self._newly(i) or self._says_no(i):
            return
        if not (self._inside(i) or email in self._holder):
            return
        if self.access[i] == "no" and not (self._inside(i) and i in self.owner):
            return
        others = sorted(self._others(i))
        if self._taken_from(i) or (self._inside(i) and others):
            yield f"email:{email}" + (f"|{','.join(others)}" if others else "")

    def _others(self, i: str) -> set[str]:
        """Who else would have access by this record's email."""
        return {
            j
            for j in self.here - {i}
            if self.now[j].email == self.now[i].email
            and not self._says_no(j)
            and not self._without_group(j)
        }

    def _taken_from(self, i: str) -> bool:
        """Whether somebody else with access holds the email, and their record would not give it up by itself."""
        holder = self._holder.get(self.now[i].email or "")
        if holder is None or holder is self._own.get(i):
            return False
        if holder.erp_id is None:
            return i in self._own
        return self.access[holder.erp_id] != "no"

    def _dependant(self, i: str) -> Iterator[str]:
        """R8: somebody with access who becomes a dependant because they, or their guardian, took on an email."""
        owner, email = self.owner.get(i), self.now[i].email
        if owner is None or not valid(email) or not self._inside(i) or self._says_no(i):
            return
        if self._newly(i):
            yield f"email:{email}"
        elif owner in self.shown and self._newly(owner):
            yield f"dependant:{owner}"

    def _guardian_missing(self, i: str) -> Iterator[str]:
        """R8: somebody who would get access because the guardian is not there."""
        guardian = self.now[i].guardian
        if self._gains(i) and i not in self.owner and guardian and guardian not in self.here:
            yield f"guardian:{guardian}"

    def _no_membership(self, i: str) -> Iterator[str]:
        """It would get access, and is in no group: it may have come after the memberships were read."""
        newly = i in self.gone or self.judged.get(i) != "yes"
        if self._gains(i) and newly and not self.now[i].groups and not self.now[i].former:
            yield "no membership"

    def _fewer_memberships(self, i: str) -> Iterator[str]:
        """Groups that it had are not shown."""
        known = self.known.get(i)
        if known is None:
            return
        had = {*known.groups, *(["ex"] if known.former else [])}
        has = {*self.now[i].groups, *(["ex"] if self.now[i].former else [])}
        concerned = self._inside(i) or self.access[i] == "yes"
        if had - has and concerned and not self._says_no(i):
            yield f"memberships:{','.join(sorted(had - has))}"
