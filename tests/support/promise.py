"""The one promise, told from the ERP's own state: no rule of the sync is repeated here.

Whoever has a right to access from before a reading begins, and is let in by it, must not lose access for as long as
that right lasts, nor be known by another email for as long as theirs stays the same. Whoever has none from before a
reading begins until it has ended must not be let in by it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Generic, TypeVar

Id = TypeVar("Id", int, str)


class Promise(Generic[Id]):
    """Who may not be out at this moment.

    :param may_enter: who has a right to access as the ERP is now: id -> email.
    :param barred: whom the ERP keeps out as it is now: for each of its lists whom that one does.
    """

    def __init__(
        self,
        may_enter: Callable[[], Mapping[Id, str]],
        barred: Callable[[], Sequence[set[Id]]] = lambda: (),
    ) -> None:
        self._may_enter: Callable[[], Mapping[Id, str]] = may_enter
        self._kept_out: Callable[[], Sequence[set[Id]]] = barred
        #: whom each list, and whom the ERP altogether, has kept out since the reading began.
        self._barred: list[set[Id]] = []
        self._out: set[Id] = set()
        self._before: Mapping[Id, str] = {}
        #: who has had a right, and under the same email, since the reading began.
        self._steady: set[Id] = set()
        self._unchanged: set[Id] = set()
        #: who was let in and has had a right since; and under which email.
        self.kept: set[Id] = set()
        self.named: dict[Id, str] = {}

    def edited(self) -> None:
        """Call after each edit of the ERP: whoever has no right at this moment has had it long enough."""
        now = self._may_enter()
        self._barred = [a & b for a, b in zip(self._barred, self._kept_out(), strict=False)]
        self._out &= set().union(*self._kept_out())
        self.kept &= set(now)
        self._steady &= set(now)
        self.named = {i: email for i, email in self.named.items() if now.get(i) == email}
        self._unchanged = {i for i in self._unchanged if now.get(i) == self._before[i]}

    def begin(self) -> None:
        """A reading begins."""
        self._before, self._barred = dict(self._may_enter()), list(self._kept_out())
        self._out = set().union(*self._barred)
        self._steady, self._unchanged = set(self._before), set(self._before)

    def broken(self, base: Mapping[Id, tuple[bool, str | None]]) -> set[Id]:
        """A reading has been loaded: who has lost access, or their email, wrongly; each is told once.

        :param base: id -> whether inside, and the email, of base customers.
        """
        inside = {i: email for i, (there, email) in base.items() if there}
        renamed = {i for i, email in self.named.items() if i in inside and inside[i] != email}
        lost = (self.kept - set(inside)) | renamed
        self.kept |= self._steady & set(inside)
        self.named |= {
            i: self._before[i] for i in self._unchanged if inside.get(i) == self._before[i]
        }
        self._forget(lost)
        return lost

    def gained(self, entered: Collection[Id], *, joined: bool) -> set[Id]:
        """Who of those that a reading has let in may not enter.

        :param joined: the lists were read one after the other: somebody may have been kept out by the one until the
            other did.
        """
        barred = set().union(*self._barred) if joined else self._out
        return barred & set(entered)

    def by_hand(self, base: Mapping[Id, tuple[bool, str | None]]) -> None:
        """A person has acted on the base: whom they put out is out, whom they gave another email has it."""
        self._forget({i for i in self.kept if not base.get(i, (False, None))[0]})
        self.named = {i: email for i, email in self.named.items() if base.get(i) == (True, email)}

    def _forget(self, ids: Collection[Id]) -> None:
        for i in ids:
            self.kept.discard(i)
            self.named.pop(i, None)
