"""Ticks by month: on PostgreSQL the table of ticks is divided into native partitions. SQLite stays as it is."""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

FIRST_YEAR, LAST_YEAR = 2016, 2100


def start_ms(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000


def partition(name: str, start: int | str, end: int | str) -> None:
    part = f"crypto.price_tickers_{name}"
    op.execute(f"CREATE TABLE {part} PARTITION OF crypto.price_tickers FOR VALUES FROM ({start}) TO ({end})")


def upgrade() -> None:
    """Moves the rows into a table of the same columns that is divided by the exchange's time."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        return
    op.execute("ALTER TABLE crypto.price_tickers RENAME TO price_tickers_undivided")
    op.execute(
        "CREATE TABLE crypto.price_tickers (LIKE crypto.price_tickers_undivided"
        " INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (timestamp_ms)"
    )
    partition(f"before_{FIRST_YEAR}", "MINVALUE", start_ms(FIRST_YEAR, 1))
    partition(f"from_{LAST_YEAR}", start_ms(LAST_YEAR, 1), "MAXVALUE")
    months = connection.execute(
        sa.text(
            "SELECT DISTINCT date_part('year', month)::int, date_part('month', month)::int FROM ("
            "SELECT date_trunc('month', to_timestamp(timestamp_ms / 1000) AT TIME ZONE 'UTC') AS month"
            " FROM crypto.price_tickers_undivided WHERE timestamp_ms >= :first AND timestamp_ms < :last) AS times"
        ),
        {"first": start_ms(FIRST_YEAR, 1), "last": start_ms(LAST_YEAR, 1)},
    )
    for year, month in sorted((int(year), int(month)) for year, month in months):
        following = (year, month + 1) if month < 12 else (year + 1, 1)  # noqa: PLR2004 - December
        partition(f"{year:04}_{month:02}", start_ms(year, month), start_ms(*following))
    op.execute("INSERT INTO crypto.price_tickers SELECT * FROM crypto.price_tickers_undivided ORDER BY id")
    op.execute("ALTER SEQUENCE crypto.price_tickers_id_seq OWNED BY crypto.price_tickers.id")
    op.execute("DROP TABLE crypto.price_tickers_undivided")
    # A key of a divided table holds the column that divides it. A publication's time never changes, so (ticker, epoch,
    # seq, time) is as good as (ticker, epoch, seq).
    op.create_primary_key("pk_price_tickers", "price_tickers", ["id", "timestamp_ms"], schema="crypto")
    op.create_unique_constraint(
        "uq_price_tickers_ticker_epoch_seq",
        "price_tickers",
        ["ticker", "epoch", "seq", "timestamp_ms"],
        schema="crypto",
    )
    op.create_index(
        "ix_price_tickers_ticker_timestamp_ms", "price_tickers", ["ticker", "timestamp_ms"], schema="crypto"
    )
    op.create_index(
        "ix_price_tickers_timestamp_ms",
        "price_tickers",
        ["timestamp_ms"],
        schema="crypto",
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    )


def downgrade() -> None:
    """Refused: prices that were stored are not thrown away by a command."""
    raise SystemExit("A store is only ever upgraded; restore a backup instead.")
