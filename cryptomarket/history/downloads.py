"""How a bulk answer leaves, and what the document says of it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, cast

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from cryptomarket.history.exports import BrokenOff, Export
from cryptomarket.history.formats import MEDIA_TYPES, Format

DESCRIPTION = """\
Each row is the event as it was streamed. Pages of one question show one state of the store: what was committed before
the first page is told exactly once, and what came later is not told. With `cursor`, everything but `limit` and `fields`
is taken from the question it belongs to.

`ndjson`, `csv`, `parquet` and `arrow` tell the whole range in one answer, however long it is. All but CSV end with a
trailer, the JSON object `{rows, sha256, complete}`: the last line of NDJSON under the name `trailer`, the entry
`trailer` of the metadata of Parquet's footer, and of Arrow's last batch, which is empty. What can't be told to its end
is broken off without the last chunk. `GET /api/v2/exports/{request_id}` tells the same facts for an hour.

In CSV, Parquet and Arrow what lies in `stats` and `greeks` is a column each (`stats.high`). Numbers are exact: decimals
of 24 digits after the point in Parquet and Arrow, their own digits elsewhere. A text of CSV that a spreadsheet would
take for a formula has an apostrophe before it.
"""
_TRAILER = '{"rows":1,"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","complete":true}'
_TEXT, _BINARY = {"type": "string"}, {"type": "string", "format": "binary"}
_SHOWN = {
    Format.NDJSON: (_TEXT, f'{{"timestamp":1790165113481,"price":85500.12}}\n{{"trailer":{_TRAILER}}}\n'),
    Format.CSV: (_TEXT, "timestamp,price\r\n1790165113481,85500.12\r\n"),
    Format.PARQUET: (_BINARY, "PAR1…PAR1"),
    Format.ARROW: (_BINARY, "…"),
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {MEDIA_TYPES[form]: {"schema": schema, "example": shown} for form, (schema, shown) in _SHOWN.items()}
    }
}


class Download(StreamingResponse):
    """An export on its way. Whoever leaves, leaves his place at once; of one that is `is_bodiless` nothing is read."""

    def __init__(self, export: Export, form: Format, *, is_bodiless: bool = False) -> None:
        self._export = export
        self._is_bodiless = is_bodiless
        headers = {"Content-Disposition": f'attachment; filename="{export.name}"', "Vary": "Accept"}
        super().__init__(export.pieces(), headers=headers, media_type=MEDIA_TYPES[form])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it (ASGI 3.0)."""
        try:
            if self._is_bodiless:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await super().__call__(scope, receive, send)
        finally:
            self._export.close()

    async def stream_response(self, send: Send) -> None:
        """Sends the pieces, each when the one before has left. What breaks off gets no last chunk: the server closes
        the connection of a response that was not completed.
        """
        async with aclosing(cast("AsyncGenerator[bytes, None]", self.body_iterator)):
            with suppress(BrokenOff):
                await super().stream_response(send)
