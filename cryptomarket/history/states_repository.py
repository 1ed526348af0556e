"""When a feed was live, as far as stored states and ticks tell."""

from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    union_all,
)

from cryptomarket.db import Prepared
from cryptomarket.history.rows import StoredStatus
from cryptomarket.history.tables import price_tickers, statuses
from cryptomarket.market.ticks import FeedState

_SAID_BY_THE_EXCHANGE = (FeedState.HALTED, FeedState.EXPIRED)
_KEYS = (statuses.c.since_ms, statuses.c.id)
_row = price_tickers.c
_ticker: BindParameter[Any] = bindparam("ticker")
_start: BindParameter[Any] = bindparam("start_ms")
_end: BindParameter[Any] = bindparam("end_ms")


def state_of(ticker: str | BindParameter[Any], *conditions: ColumnElement[bool], newest: bool) -> Select[Any]:
    """The newest, or the oldest, state of a ticker that meets the conditions."""
    one = select(*(statuses.c[name] for name in StoredStatus._fields)).where(statuses.c.ticker == ticker, *conditions)
    return one.order_by(*(key.desc() if newest else key for key in _KEYS)).limit(1)


def _after(since_ms: ColumnElement[int], row_id: ColumnElement[int]) -> ColumnElement[bool]:
    """What holds for the states that follow one."""
    since = statuses.c.since_ms
    return and_(since >= since_ms, or_(since > since_ms, statuses.c.id > row_id))


def _states() -> CompoundSelect[Any]:
    """What is asked of states at once: one within the range by which the exchange itself said that nothing is to be
    heard, the one that came after the last dark one before the end, and the first dark one after the end.
    """
    since, is_dark = statuses.c.since_ms, statuses.c.state != FeedState.LIVE.value
    dark_since_ms, dark_id = (
        func.coalesce(
            state_of(_ticker, since < _end, is_dark, newest=True).with_only_columns(key).scalar_subquery(), -1
        )
        for key in _KEYS
    )
    asked = {
        "said": state_of(
            _ticker, since >= _start, since < _end, statuses.c.state.in_(_SAID_BY_THE_EXCHANGE), newest=True
        ),
        "lit": state_of(_ticker, _after(dark_since_ms, dark_id), newest=False),
        "ended": state_of(_ticker, since >= _end, is_dark, newest=False),
    }
    return union_all(
        *(select(literal(label).label("asked"), *one.subquery(label).columns) for label, one in asked.items())
    )


# Statements are made once: making one takes longer than SQLite takes to answer it.
_STATES = Prepared(_states())
_OF_EPOCH = select(_row.timestamp_ms).where(_row.ticker == _ticker, _row.epoch == bindparam("epoch")).limit(1)
_THAT = Prepared(_OF_EPOCH.where(_row.seq == bindparam("prev_seq")))
_AFTER = Prepared(_OF_EPOCH.where(_row.seq > bindparam("seq")).order_by(_row.seq))
_BEFORE = Prepared(_OF_EPOCH.where(_row.seq < bindparam("seq")).order_by(_row.seq.desc()))
# The reasons of states that a tick has told (`Watch.heard`).
_BY_TICK = (None, "heard")


def was_live(connection: Connection, ticker: str, start_ms: int, end_ms: int) -> bool:
    """Whether the feed was live throughout [start_ms, end_ms).

    A state's own time is this gateway's clock and a tick's is the exchange's, so the edges are moved to the ticks: a
    feed is live from the tick that made it so, and one that broke off is believed up to its last tick. What the
    exchange itself has said of it is for a time of its own, unless a tick said it: that one's.
    """
    asked = {"ticker": ticker, "start_ms": start_ms, "end_ms": end_ms}
    told = {label: StoredStatus._make(status) for label, *status in _STATES.all(connection, asked)}
    lit, ended = told.get("lit"), told.get("ended")
    if "said" in told or lit is None or lit.state != FeedState.LIVE or not _is_lit(connection, lit, start_ms):
        return False
    if ended is None or (ended.state in _SAID_BY_THE_EXCHANGE and ended.reason not in _BY_TICK):
        return True
    last_ms = _time_ms(connection, _BEFORE, ended)
    return last_ms is None or last_ms >= end_ms


def _is_lit(connection: Connection, lit: StoredStatus, start_ms: int) -> bool:
    """Whether a feed that went live is so at a moment, whatever was said of it before."""
    if lit.since_ms <= start_ms:
        return True
    # The tick that makes a feed live leaves right before the state. Where something else did, that tick was heard in
    # the dark, and the next one is the proof.
    first_ms = _time_ms(connection, _THAT, lit) if lit.reason in _BY_TICK else None
    if first_ms is None:
        first_ms = _time_ms(connection, _AFTER, lit)
    return first_ms is not None and first_ms <= start_ms


def _time_ms(connection: Connection, question: Prepared, status: StoredStatus) -> int | None:
    found = question.all(connection, status._asdict())
    return cast("int", found[0][0]) if found else None
