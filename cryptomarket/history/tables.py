"""What was heard, as it was heard. A row reproduces the whole event."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from cryptomarket.db import GROWS_ONLY, PARTITIONED_BY, Price, metadata, row_id, word

# Rows of another source than the stream have no position; NULLs are distinct in a unique key on both databases.
# On PostgreSQL the table is divided by month, and both keys end with the time: docs/decisions/0010-ticks-by-month.md
price_tickers = Table(
    "price_tickers",
    metadata,
    Column("id", row_id(), primary_key=True),
    Column("ticker", word(), nullable=False),
    Column("epoch", word()),
    Column("seq", BigInteger),
    Column("prev_seq", BigInteger),
    Column("source", word(), nullable=False),
    Column("kind", word(), nullable=False),
    Column("instrument_name", word(), nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("published_us", BigInteger),
    Column("price", Price),
    Column("summary", Text),
    UniqueConstraint("ticker", "epoch", "seq"),
    CheckConstraint(
        "(source = 'stream') = (epoch IS NOT NULL) AND (epoch IS NULL) = (seq IS NULL)", name="position_of_stream"
    ),
    Index(None, "ticker", "timestamp_ms").ddl_if(dialect="postgresql"),
    # It covers the lines of price indices, in the order of history: docs/decisions/0025-a-covering-index.md
    Index(
        "ix_price_tickers_lines",
        *("ticker", "timestamp_ms", "source", "epoch", "seq", "id"),
        *("prev_seq", "kind", "instrument_name", "received_us", "published_us", "price"),
    ).ddl_if(dialect="sqlite"),
    Index("ix_price_tickers_timestamp_ms", "timestamp_ms", postgresql_using="brin").ddl_if(dialect="postgresql"),
    info={PARTITIONED_BY: "timestamp_ms", GROWS_ONLY: True},
)

gaps = Table(
    "gaps",
    metadata,
    Column("id", row_id(), primary_key=True),
    Column("ticker", word(), nullable=False),
    Column("epoch", word()),
    Column("seq", BigInteger),
    Column("prev_seq", BigInteger),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("cause", word(), nullable=False),
    Column("state", word(), nullable=False),
    # As published; NULL, like its position, when it never was. What becomes of the gap later changes `state` alone.
    Column("payload", Text),
    UniqueConstraint("ticker", "epoch", "seq"),
    Index(None, "ticker", "to_ms"),
)

statuses = Table(
    "statuses",
    metadata,
    Column("id", row_id(), primary_key=True),
    Column("ticker", word(), nullable=False),
    Column("epoch", word(), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("prev_seq", BigInteger),
    Column("state", word(), nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("age_ms", BigInteger),
    Column("reason", Text),
    UniqueConstraint("ticker", "epoch", "seq"),
    Index(None, "ticker", "since_ms"),
    info={GROWS_ONLY: True},
)

# Up to where something of an epoch was removed: whoever resumes below it can't be told everything.
removals = Table(
    "removals",
    metadata,
    Column("epoch", word(), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

# What was collected by request: a job that runs twice for one ticker and time stores one row. Bound: those of two days.
collected = Table(
    "collected",
    metadata,
    Column("job", word(), primary_key=True),
    Column("ticker", word(), primary_key=True),
    Column("scheduled_ms", BigInteger, primary_key=True, autoincrement=False),
    Index(None, "scheduled_ms"),
)

# The closed minutes of tickers: they outlive their ticks where a retention is set.
candles = Table(
    "candles",
    metadata,
    Column("ticker", word(), primary_key=True),
    Column("start_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("open", Price, nullable=False),
    Column("high", Price, nullable=False),
    Column("low", Price, nullable=False),
    Column("close", Price, nullable=False),
    Column("ticks", Integer, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("source", word(), nullable=False),
    Column("revised", SmallInteger, nullable=False),
)
