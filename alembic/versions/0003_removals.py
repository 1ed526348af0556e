"""Up to where something of an epoch was removed, so that no resume passes over it."""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Makes the table."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.create_table(
        "crypto_removals" if is_sqlite else "removals",
        sa.Column("epoch", sa.Text(collation=None if is_sqlite else "C"), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name="pk_removals"),
        schema=None if is_sqlite else "crypto",
    )


def downgrade() -> None:
    """Refused: prices that were stored are not thrown away by a command."""
    raise SystemExit("A store is only ever upgraded; restore a backup instead.")
