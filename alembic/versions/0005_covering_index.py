"""On SQLite the index of ticks by time covers the lines of price indices (sqlite.org/queryplanner.html)."""

from collections.abc import Sequence

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

ORDER = ("ticker", "timestamp_ms", "source", "epoch", "seq", "id")
TOLD = ("prev_seq", "kind", "instrument_name", "received_us", "published_us", "price")


def upgrade() -> None:
    """Makes the new one before the old one goes. PostgreSQL stays as it is."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.create_index("ix_price_tickers_lines", "crypto_price_tickers", [*ORDER, *TOLD])
    op.drop_index("ix_price_tickers_ticker_timestamp_ms", "crypto_price_tickers")


def downgrade() -> None:
    """Refused: prices that were stored are not thrown away by a command."""
    raise SystemExit("A store is only ever upgraded; restore a backup instead.")
