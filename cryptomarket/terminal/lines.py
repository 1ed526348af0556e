"""Events as lines, and a file of them that knows where it ended."""

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from cryptomarket.client import Gap, Heard, Reset, Snapshot, Status, Tick

_SHOWN = (Tick, Snapshot, Status, Gap, Reset)


def line_of(heard: Heard) -> bytes | None:
    """The line of what happened to prices and to what is known of them: `event`, `id`, and the data digit for digit.
    `id` is the place to go on from once the line is dealt with. None for everything else.
    """
    if not isinstance(heard.event, _SHOWN):
        return None
    head = msgspec.json.encode({"event": heard.name, "id": heard.position})
    return head[:-1] + b"," + heard.data.encode()[1:] + b"\n"


class _Place(msgspec.Struct):
    id: str | None = None


_place = msgspec.json.Decoder(_Place)
_TAIL_BYTES = 2**16


class LineFile:
    """A file of such lines, which is its own memory: whoever opens it again goes on after its last whole line, so that
    a process that was killed at any moment has lost nothing and doubles nothing. A torn line is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("ab+")
        try:
            self.position = self._recovered()
        except (OSError, ValueError):
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """A block that closes the file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self._file.close()

    def write(self, line: bytes) -> None:
        """Adds a line, which is in the file when this returns."""
        self._file.write(line)
        self._file.flush()

    def _recovered(self) -> str | None:
        """The id of the last whole line. Raises ValueError for a file that is something else."""
        size = self._file.seek(0, os.SEEK_END)
        if size == 0:
            return None
        tail = b""
        start = size
        while start > 0 and tail.count(b"\n") <= 1:
            start = max(0, start - _TAIL_BYTES)
            self._file.seek(start)
            tail = self._file.read(size - start)
        whole, _, _torn = tail.rpartition(b"\n")
        if not whole:
            if start > 0 or not tail.startswith(b'{"event":'):
                raise ValueError(f"{self._file.name} is no file of events; it is left as it is.")
            self._file.truncate(0)
            return None
        try:
            position = _place.decode(whole.rpartition(b"\n")[2]).id
        except msgspec.MsgspecError as error:
            raise ValueError(f"{self._file.name} is no file of events; it is left as it is.") from error
        self._file.truncate(start + len(whole) + 1)
        return position
