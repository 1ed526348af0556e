"""The place of a publication in the one order of this gateway."""

import re
from dataclasses import dataclass

MAX_SEQ = 2**63 - 1
_TEXT = re.compile(r"([0-9a-z]{1,32})-(0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Position:
    """(epoch, sequence). Within an epoch, sequences grow by one with each publication of the whole gateway.

    The epoch changes whenever the log may have lost anything, so positions of different epochs never compare:
    `follows` across epochs is False both ways.
    """

    epoch: str
    seq: int

    def __str__(self) -> str:
        """`<epoch>-<seq>`, the `id:` of an SSE event (WHATWG HTML, 9.2.6 "last event ID string")."""
        return f"{self.epoch}-{self.seq}"

    def follows(self, other: "Position") -> bool:
        """Whether this position comes after `other` in the same epoch."""
        return self.epoch == other.epoch and self.seq > other.seq

    @classmethod
    def parse(cls, text: str) -> "Position | None":
        """The position that `text` spells, or None: an id from a stranger is no error, it is just not ours."""
        found = _TEXT.fullmatch(text)
        if found is None:
            return None
        seq = int(found[2])
        return cls(found[1], seq) if seq <= MAX_SEQ else None
