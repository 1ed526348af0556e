"""Whose store it is."""

from sqlalchemy import BigInteger, CheckConstraint, Column, SmallInteger, Table

from cryptomarket.db.columns import metadata, word

store = Table(
    "store",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("exchange", word(), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
