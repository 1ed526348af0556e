"""The first tables: the store's owner, history, accounts and saved sets."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Creates every table, named as this database names ours."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    prefix, schema = ("crypto_", None) if sqlite else ("", "crypto")
    word = sa.Text() if sqlite else postgresql.TEXT(collation="C")
    price = sa.Text() if sqlite else sa.Numeric()
    row_id = sa.Integer() if sqlite else sa.BigInteger()

    def key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
        return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")

    def unique(table: str, *columns: str) -> sa.UniqueConstraint:
        return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")

    op.create_table(
        f"{prefix}store",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("exchange", word, nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        key("store", "id"),
        sa.CheckConstraint("id = 1", name=op.f("ck_store_one_row")),
        schema=schema,
    )
    op.create_table(
        f"{prefix}price_tickers",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("ticker", word, nullable=False),
        sa.Column("epoch", word),
        sa.Column("seq", sa.BigInteger()),
        sa.Column("prev_seq", sa.BigInteger()),
        sa.Column("source", word, nullable=False),
        sa.Column("kind", word, nullable=False),
        sa.Column("instrument_name", word, nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("published_us", sa.BigInteger()),
        sa.Column("price", price),
        sa.Column("summary", sa.Text()),
        key("price_tickers", "id"),
        unique("price_tickers", "ticker", "epoch", "seq"),
        sa.CheckConstraint(
            "(source = 'stream') = (epoch IS NOT NULL) AND (epoch IS NULL) = (seq IS NULL)",
            name=op.f("ck_price_tickers_position_of_stream"),
        ),
        schema=schema,
    )
    op.create_index(
        "ix_price_tickers_ticker_timestamp_ms", f"{prefix}price_tickers", ["ticker", "timestamp_ms"], schema=schema
    )
    op.create_table(
        f"{prefix}gaps",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("ticker", word, nullable=False),
        sa.Column("epoch", word),
        sa.Column("seq", sa.BigInteger()),
        sa.Column("prev_seq", sa.BigInteger()),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=False),
        sa.Column("cause", word, nullable=False),
        sa.Column("state", word, nullable=False),
        sa.Column("payload", sa.Text()),
        key("gaps", "id"),
        unique("gaps", "ticker", "epoch", "seq"),
        schema=schema,
    )
    op.create_index("ix_gaps_ticker_to_ms", f"{prefix}gaps", ["ticker", "to_ms"], schema=schema)
    op.create_table(
        f"{prefix}statuses",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("ticker", word, nullable=False),
        sa.Column("epoch", word, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("prev_seq", sa.BigInteger()),
        sa.Column("state", word, nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("age_ms", sa.BigInteger()),
        sa.Column("reason", sa.Text()),
        key("statuses", "id"),
        unique("statuses", "ticker", "epoch", "seq"),
        schema=schema,
    )
    op.create_index("ix_statuses_ticker_since_ms", f"{prefix}statuses", ["ticker", "since_ms"], schema=schema)
    op.create_table(
        f"{prefix}person",
        sa.Column("user_id", word, nullable=False),
        sa.Column("exchange", word, nullable=False),
        sa.Column("deribit_id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text()),
        sa.Column("username", sa.Text()),
        sa.Column("system_name", sa.Text()),
        sa.Column("type", sa.Text()),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        key("person", "user_id"),
        unique("person", "exchange", "deribit_id"),
        schema=schema,
    )
    op.create_table(
        f"{prefix}api_keys",
        sa.Column("key_id", word, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("user_id", word),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger()),
        key("api_keys", "key_id"),
        unique("api_keys", "digest"),
        schema=schema,
    )
    op.create_table(
        f"{prefix}revoked_tokens",
        sa.Column("jti", word, nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        key("revoked_tokens", "jti"),
        schema=schema,
    )
    op.create_table(
        f"{prefix}person_prices",
        sa.Column("user_id", word, nullable=False),
        sa.Column("ticker", word, nullable=False),
        sa.Column("subscribed_ms", sa.BigInteger(), nullable=False),
        sa.Column("epoch", word),
        sa.Column("seq", sa.BigInteger()),
        key("person_prices", "user_id", "ticker"),
        schema=schema,
    )
    op.create_table(
        f"{prefix}person_sets",
        sa.Column("user_id", word, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        key("person_sets", "user_id"),
        schema=schema,
    )


def downgrade() -> None:
    """Refused: prices that were stored are not thrown away by a command."""
    raise SystemExit("A store is only ever upgraded; restore a backup instead.")
