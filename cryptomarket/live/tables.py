"""Saved sets: which tickers a person subscribed to, since when, and how often the set has changed."""

from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, Table

from cryptomarket.db import metadata, word

person_prices = Table(
    "person_prices",
    metadata,
    Column("user_id", word(), nullable=False),
    Column("ticker", word(), nullable=False),
    Column("subscribed_ms", BigInteger, nullable=False),
    Column("epoch", word()),
    Column("seq", BigInteger),
    PrimaryKeyConstraint("user_id", "ticker"),
)

person_sets = Table(
    "person_sets",
    metadata,
    Column("user_id", word(), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
)
