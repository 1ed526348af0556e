"""Runs of jobs, what they have collected already, and the closed minutes of tickers."""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Makes the tables."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    schema, prefix = (None, "crypto_") if is_sqlite else ("crypto", "")

    def word() -> sa.Text:
        return sa.Text(collation=None if is_sqlite else "C")

    op.create_table(
        f"{prefix}job_runs",
        sa.Column("id", word(), nullable=False),
        sa.Column("job", word(), nullable=False),
        sa.Column("cause", word(), nullable=False),
        sa.Column("state", word(), nullable=False),
        sa.Column("scheduled_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_ms", sa.BigInteger()),
        sa.Column("finished_ms", sa.BigInteger()),
        sa.Column("overdue_ms", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("result", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_job_runs"),
        schema=schema,
    )
    op.create_index("ix_job_runs_job_scheduled_ms", f"{prefix}job_runs", ["job", "scheduled_ms"], schema=schema)
    op.create_index("ix_job_runs_state", f"{prefix}job_runs", ["state"], schema=schema)
    op.create_table(
        f"{prefix}collected",
        sa.Column("job", word(), nullable=False),
        sa.Column("ticker", word(), nullable=False),
        sa.Column("scheduled_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("job", "ticker", "scheduled_ms", name="pk_collected"),
        schema=schema,
    )
    op.create_index("ix_collected_scheduled_ms", f"{prefix}collected", ["scheduled_ms"], schema=schema)
    price = sa.Text if is_sqlite else sa.Numeric
    op.create_table(
        f"{prefix}candles",
        sa.Column("ticker", word(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("open", price(), nullable=False),
        sa.Column("high", price(), nullable=False),
        sa.Column("low", price(), nullable=False),
        sa.Column("close", price(), nullable=False),
        sa.Column("ticks", sa.Integer(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", word(), nullable=False),
        sa.Column("revised", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ticker", "start_ms", name="pk_candles"),
        schema=schema,
    )


def downgrade() -> None:
    """Refused: prices that were stored are not thrown away by a command."""
    raise SystemExit("A store is only ever upgraded; restore a backup instead.")
