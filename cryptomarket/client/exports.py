"""Whole ranges as files, proven to be whole."""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from cryptomarket.client.answers import Export
from cryptomarket.client.asking import CONNECTION_FAULTS, Asking, Question, away
from cryptomarket.client.refusals import GatewayFailed, understood
from cryptomarket.errors import CryptomarketError

_export = msgspec.json.Decoder(Export)
_PIECE_BYTES = 2**20
# In which Arrow's last, empty batch lies with the trailer, and NDJSON's last line.
_TAIL_BYTES = 2**16
_ARROW_MESSAGE = b"\xff\xff\xff\xff"
_PARQUET_END_BYTES = 8


class ExportFormat(StrEnum):
    """How an export is written."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


class BrokenDownload(CryptomarketError):
    """A file did not come whole, or not as it was sent. What came is kept under its name with `.part`."""


def format_of(path: Path, form: ExportFormat | str | None) -> ExportFormat:
    """The format that is said, or that a file's name ends with. Raises ValueError, naming them all."""
    try:
        return ExportFormat(form or path.suffix[1:])
    except ValueError:
        known = ", ".join(f".{each}" for each in ExportFormat)
        told = f"{form!r} is no format of an export" if form else f"{path.name!r} ends with no format of an export"
        raise ValueError(f"{told}: there are {known}.") from None


def _check_place(to: Path) -> None:
    """Raises OSError where no file can be."""
    if to.is_dir():
        raise IsADirectoryError(f"{to} is a folder: name a file.")
    if not to.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {to.parent} to write {to.name} into.")


async def download(asking: Asking, question: Question, to: Path) -> Export:
    """Writes an export into a file, which takes its name only when the gateway's own facts prove it whole.

    Raises BrokenDownload, OSError for a file that can't be written, and what any question raises.
    """
    await asyncio.to_thread(_check_place, to)
    part = to.with_name(f"{to.name}.part")
    async with asking.opened(question) as response:
        request_id = response.headers.get("x-request-id")
        if request_id is None:
            raise GatewayFailed(
                response.status_code, f"{asking.where} has sent a file without a name, as no gateway does"
            )
        file = await asyncio.to_thread(part.open, "wb")
        with file:
            try:
                async for piece in response.aiter_bytes():
                    file.write(piece)
            except CONNECTION_FAULTS as error:
                raise BrokenDownload(f"{to.name} broke off: {away(response.url, error)}") from error
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
    told = await asking.ask(Question("GET", f"/api/v2/exports/{request_id}"))
    with understood(asking.where):
        facts = _export.decode(told)
    if facts.state != "done" or not await asyncio.to_thread(is_whole, part, facts):
        raise BrokenDownload(f"{to.name} is not what the gateway has sent; it is kept as {part.name}.")
    await asyncio.to_thread(part.replace, to)
    return facts


def is_whole(path: Path, facts: Export) -> bool:
    """Whether the bytes of a file before its trailer have the told SHA-256."""
    size = path.stat().st_size
    ends = sorted({end for end in _ends(path, size, facts.format) if 0 <= end <= size})
    digest = hashlib.sha256()
    with path.open("rb") as file:
        at = 0
        for end in ends:
            while at < end:
                piece = file.read(min(_PIECE_BYTES, end - at))
                digest.update(piece)
                at += len(piece)
            if digest.hexdigest() == facts.sha256:
                return True
    return False


def _ends(path: Path, size: int, form: str) -> Iterator[int]:
    """Where the trailer of a file may begin. Of several places the digest finds the right one."""
    start = max(0, size - _TAIL_BYTES)
    with path.open("rb") as file:
        file.seek(start)
        tail = file.read()
    if form == ExportFormat.CSV:
        yield size
    elif form == ExportFormat.NDJSON:
        yield start + tail.rstrip(b"\n").rfind(b"\n") + 1
    elif form == ExportFormat.PARQUET:
        # The footer's length stands before the last four bytes (parquet.apache.org/docs/file-format).
        yield size - _PARQUET_END_BYTES - int.from_bytes(tail[-_PARQUET_END_BYTES:-4], "little")
    else:
        # Each message of a stream begins so (arrow.apache.org/docs/format/Columnar.html, "IPC Streaming Format").
        at = tail.find(_ARROW_MESSAGE)
        while at >= 0:
            yield start + at
            at = tail.find(_ARROW_MESSAGE, at + 1)
