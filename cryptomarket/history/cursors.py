"""The place where a page ended, as opaque text."""

from base64 import b64decode, urlsafe_b64encode
from typing import Annotated, Literal

import msgspec

from cryptomarket.errors import Malformed
from cryptomarket.history.rows import Row
from cryptomarket.history.timestamps import END_OF_TIME_MS
from cryptomarket.market.position import MAX_SEQ
from cryptomarket.market.ticks import Source

_MAX_LENGTH = 512
# The largest id that a row can have: no row came later.
EVERY_ROW = MAX_SEQ
_Whole = Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]
_Moment = Annotated[int, msgspec.Meta(ge=0, lt=END_OF_TIME_MS)]
_End = Annotated[int, msgspec.Meta(ge=0, le=END_OF_TIME_MS)]
_Word = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[^\x00]*\Z")]

Order = Literal["asc", "desc"]


class Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The question that was asked, how much was stored when it was asked first, and the last row that was told.

    Rows above `newest_id` came later and belong to no page of this question, so whether it could be answered completely
    was settled then as well; what was closed then has EVERY_ROW, for nothing comes in any more. `epoch` and `seq` are
    null where the row has no position.
    """

    ticker: _Word
    start_ms: _Moment
    end_ms: _End
    order: Order
    source: Source | None
    newest_id: _Whole
    complete: bool
    timestamp_ms: _Moment
    row_source: Source
    epoch: _Word | None
    seq: _Whole | None
    row_id: _Whole

    @classmethod
    def at_start(
        cls,
        ticker: str,
        start_ms: int,
        end_ms: int,
        *,
        order: Order = "asc",
        source: Source | None = None,
        newest_id: int = EVERY_ROW,
        complete: bool = False,
    ) -> "Cursor":
        """The question itself, before any row was told."""
        return cls(ticker, start_ms, end_ms, order, source, newest_id, complete, 0, Source.COLLECTED, None, None, 0)

    def after(self, row: Row) -> "Cursor":
        """The cursor of the next page, which begins after `row`."""
        return msgspec.structs.replace(
            self,
            timestamp_ms=row.timestamp_ms,
            row_source=Source(row.source),
            epoch=row.epoch,
            seq=row.seq,
            row_id=row.id,
        )

    def __str__(self) -> str:
        return urlsafe_b64encode(msgspec.json.encode(self)).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The cursor that `text` spells. Raises Malformed."""
        try:
            if len(text) <= _MAX_LENGTH and text.isascii():
                cursor = _decoder.decode(b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
                is_placed = (cursor.epoch is None) == (cursor.seq is None) == (cursor.row_source is not Source.STREAM)
                if is_placed and cursor.start_ms <= cursor.timestamp_ms < cursor.end_ms:
                    return cursor
        except (ValueError, msgspec.DecodeError):
            pass
        raise Malformed("This is no cursor of ours: use next_cursor of an answer as it is.", field="cursor")


EXAMPLE = str(
    Cursor("btc_usd", 1790165113000, 1790165120000, "asc", None, 48213, True, 1790165113481, Source.STREAM,
           "019a3f2c7b1e4d2a", 48213, 48213)
)  # fmt: skip

_decoder = msgspec.json.Decoder(Cursor)
