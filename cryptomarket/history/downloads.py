"""How a bulk answer leaves, and what the document says of it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, cast

from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from cryptomarket.history.exports import BrokenOff, Export
from cryptomarket.history.formats import MEDIA_TYPES, Format

DESCRIPTION = """\
Each row is the event as it was streamed. Pages of one question show one state of the store: what was committed before
the first page is told exactly once, and what comes in later is not waited for. With `cursor`, everything but `limit`
and `fields` is taken from the question it belongs to.

`ndjson`, `csv`, `parquet` and `arrow` tell the whole range in one answer, however long it is. All but CSV end with a
trailer, the JSON object `{rows, sha256, complete}`: the last line of NDJSON under the name `trailer`, the entry
`trailer` of the metadata of Parquet's footer, and of Arrow's last batch, which is empty. What can't be told to its end
is broken off without the last chunk, and so is what its reader does not go on taking, half a minute long unless the
gateway is set otherwise. `GET /api/v2/exports/{request_id}` tells the same facts for an hour.

In CSV, Parquet and Arrow what lies in `stats` and `greeks` is a column each (`stats.high`). Numbers are exact: decimals
of 24 digits after the point in Parquet and Arrow, their own digits elsewhere. A text of CSV that a spreadsheet would
take for a formula has an apostrophe before it.
"""
# An extension of ours (ASGI 3.0, "Extensions"): gives the connection up, with what it still holds. Merely to close it
# would be to wait until that has left, which it never does where nobody reads.
ABORT = "http.response.abort"
_TRAILER = '{"rows":1,"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","complete":true}'
_TEXT, _BINARY = {"type": "string"}, {"type": "string", "format": "binary"}
_SHOWN = {
    Format.NDJSON: (_TEXT, f'{{"timestamp":1790165113481,"price":85500.12}}\n{{"trailer":{_TRAILER}}}\n'),
    Format.CSV: (_TEXT, "timestamp,price\r\n1790165113481,85500.12\r\n"),
    Format.PARQUET: (_BINARY, "PAR1…PAR1"),
    Format.ARROW: (_BINARY, "…"),
}
CLOSED_HEADERS: dict[str, Any] = {
    "ETag": {
        "description": "Of a closed range: names its content, which never changes; weak where it is a file",
        "schema": {"type": "string"},
        "example": '"35518a68c2d14b0e9d7f3a6b1c5e8f02"',
    },
    "Cache-Control": {
        "description": "Of a closed range: he who asked may keep it for ever",
        "schema": {"type": "string"},
        "example": "private, max-age=31536000, immutable",
    },
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": CLOSED_HEADERS,
        "content": {
            MEDIA_TYPES[form]: {"schema": schema, "example": shown} for form, (schema, shown) in _SHOWN.items()
        },
    }
}


def closed_headers(etag: str) -> dict[str, str]:
    """What is said of a closed range: he who asked may keep it for ever."""
    return {"Vary": "Accept", "ETag": etag, "Cache-Control": "private, max-age=31536000, immutable"}


class _Stalled(Exception):
    """A reader has not taken a piece in time."""


class _Patience:
    """Sends (ASGI 3.0), and waits for `stall_s` seconds until what was sent before is taken. Raises _Stalled."""

    def __init__(self, send: Send, stall_s: float) -> None:
        self._send = send
        self._stall_s = stall_s
        self.is_over = False

    async def __call__(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._stall_s):
                await self._send(message)
        except TimeoutError as error:
            self.is_over = True
            raise _Stalled from error


class Download(StreamingResponse):
    """An export on its way. Whoever leaves, or takes no piece for too long, leaves his place at once; of one that is
    `is_bodiless` nothing is read.
    """

    def __init__(self, export: Export, form: Format, *, is_bodiless: bool = False) -> None:
        self._export = export
        self._is_bodiless = is_bodiless
        self._is_broken_off = False
        headers = {"Content-Disposition": f'attachment; filename="{export.name}"', "Vary": "Accept"}
        if export.etag is not None:
            headers |= closed_headers(f"W/{export.etag}")
        super().__init__(export.pieces(), headers=headers, media_type=MEDIA_TYPES[form])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it (ASGI 3.0)."""
        patience = _Patience(send, self._export.stall_s)
        try:
            if self._is_bodiless:
                await self._send_head(patience)
            else:
                await super().__call__(scope, receive, patience)
        finally:
            self._export.close()
        try:
            if patience.is_over and not self._is_bodiless:
                await self._export.stalled()
        finally:
            # Without chunks, the end of the connection would be taken for the end of the answer.
            if patience.is_over or (self._is_broken_off and scope["http_version"] == "1.0"):
                await _give_up(scope)

    async def _send_head(self, send: Send) -> None:
        # Behind a request whose answer nobody reads, a head waits as well.
        with suppress(_Stalled):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def stream_response(self, send: Send) -> None:
        """Sends the pieces, each when the one before has left. What breaks off gets no last chunk: the server closes
        the connection of a response that was not completed.
        """
        async with aclosing(cast("AsyncGenerator[bytes, None]", self.body_iterator)):
            with suppress(_Stalled):
                try:
                    await super().stream_response(send)
                except BrokenOff:
                    self._is_broken_off = True


async def _give_up(scope: Scope) -> None:
    abort = (scope.get("extensions") or {}).get(ABORT)
    if abort is not None:
        await abort()
