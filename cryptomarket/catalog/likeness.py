"""Which of thousands of names are most like a mistyped one."""

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

# Enough to contain the best few; comparing letter by letter is a thousand times dearer than counting shared pieces.
_SHORTLIST = 25
# Of all letters, how many must be shared in order: `sol` is still like `sol_usdc`.
_LEAST_LIKE = 0.5
# Pieces that thousands of names share say little and cost most: rare ones are counted first, up to so many names.
_LOOKED_AT = 4_000

_NOBODY: frozenset[str] = frozenset()


class Likeness:
    """Names under their pieces of three letters. A look-up counts shared pieces first, then compares the best names
    letter by letter: a few milliseconds in all, over 6,000 names.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._by_piece: dict[str, set[str]] = {}
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Takes a name in."""
        for piece in _pieces(name):
            self._by_piece.setdefault(piece, set()).add(name)

    def remove(self, name: str) -> None:
        """Takes a name out."""
        for piece in _pieces(name):
            self._by_piece.get(piece, set()).discard(name)

    def nearest(self, name: str, count: int) -> Sequence[str]:
        """The names most like this one, best first; fewer than `count`, or none, when others are nothing like it."""
        pieces = _pieces(name)
        shared: Counter[str] = Counter()
        looked_at = 0
        for known in sorted((self._by_piece.get(piece, _NOBODY) for piece in pieces), key=len):
            if looked_at and looked_at + len(known) > _LOOKED_AT:
                break
            shared.update(known)
            looked_at += len(known)
        shortlist = sorted(shared, key=lambda known: (-shared[known] / (len(pieces) + len(known)), known))[:_SHORTLIST]
        key = name.casefold()
        likeness = {known: SequenceMatcher(None, key, known.casefold()).ratio() for known in shortlist}
        like = [known for known in shortlist if likeness[known] >= _LEAST_LIKE]
        return sorted(like, key=lambda known: (-likeness[known], known))[:count]


def _pieces(name: str) -> frozenset[str]:
    padded = f"  {name.casefold()} "
    return frozenset(padded[at : at + 3] for at in range(len(padded) - 2))
