"""What tables are made of: their metadata, their names, and columns that keep exactly what they are given."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

from sqlalchemy import BigInteger, DateTime, Integer, MetaData, Numeric, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

SCHEMA = "crypto"

# In a table's `info`: the column, in milliseconds, by whose months PostgreSQL divides it.
PARTITIONED_BY = "partitioned_by"
# …and whether its rows, numbered by `id` as they came, never change.
GROWS_ONLY = "grows_only"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    },
)


class Price(TypeDecorator[Decimal]):
    """An exact decimal: NUMERIC on PostgreSQL; on SQLite its digits as text, since NUMERIC is floating there."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Decimal]:
        kind = Text() if dialect.name == "sqlite" else Numeric()
        return cast("TypeEngine[Decimal]", dialect.type_descriptor(kind))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        if not isinstance(value, Decimal):
            raise TypeError(f"a price is a Decimal, not a {type(value).__name__}")
        return cast("Decimal", str(value)) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Decimal | None, dialect: Dialect) -> Decimal | None:
        return Decimal(value) if value is not None and dialect.name == "sqlite" else value


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, with its zone: anything naive is refused, and what comes back is UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone cannot be stored")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def word() -> TypeEngine[str]:
    """Text that both databases compare byte by byte, so that names, epochs and sources sort the same everywhere."""
    return Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def row_id() -> TypeEngine[int]:
    """A 64-bit number that the database hands out. SQLite does so only for a column called INTEGER."""
    return BigInteger().with_variant(Integer(), "sqlite")


def placed(name: str, dialect_name: str) -> tuple[str, str | None]:
    """Name and schema of the table that we call `name`, as that database itself knows it."""
    return (f"{SCHEMA}_{name}", None) if dialect_name == "sqlite" else (name, SCHEMA)
