"""Who has been here, with what keys, and which tokens no longer count."""

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text, UniqueConstraint

from cryptomarket.db import metadata, word

person = Table(
    "person",
    metadata,
    Column("user_id", word(), primary_key=True),
    Column("exchange", word(), nullable=False),
    Column("deribit_id", BigInteger, nullable=False),
    Column("email", Text),
    Column("username", Text),
    Column("system_name", Text),
    Column("type", Text),
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    UniqueConstraint("exchange", "deribit_id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", word(), primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("user_id", word()),
    Column("scope", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
)

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("jti", word(), primary_key=True),
    Column("expires_ms", BigInteger, nullable=False),
)
