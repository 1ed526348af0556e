from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import StatementError

from cryptomarket.db import Database, Price, UtcDateTime
from cryptomarket.db.dialect import PrefixedSQLite

SQLITE = PrefixedSQLite()
POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
decimals = st.decimals(allow_nan=False, allow_infinity=False)


@given(decimals)
def test_a_price_keeps_its_digits_on_sqlite(price: Decimal) -> None:
    """Text in, the same Decimal out, exponent and zeros included; a float is refused."""
    column = Price()
    bound = column.process_bind_param(price, SQLITE)
    assert str(bound) == str(price)
    assert str(column.process_result_value(bound, SQLITE)) == str(price)
    assert column.process_bind_param(price, POSTGRESQL) is price


async def test_a_float_is_no_price(database: Database) -> None:
    """A binary fraction never reaches the database."""
    table = Table("prices", MetaData(), Column("price", Price))
    with pytest.raises(StatementError, match="a price is a Decimal"):
        async with database.begin() as connection:
            await connection.execute(table.insert(), {"price": 1.5})


async def test_a_moment_keeps_its_zone(database: Database) -> None:
    """Naive moments are refused, and what comes back is UTC."""
    table = Table("moments", MetaData(), Column("at", UtcDateTime), prefixes=["TEMPORARY"])
    moment = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))
    async with database.begin() as connection:
        await connection.run_sync(table.create)
        await connection.execute(table.insert(), [{"at": moment}, {"at": None}])
        stored = (await connection.execute(select(table.c.at))).scalars().all()
        assert stored == [moment, None]
        assert stored[0].tzinfo is UTC
    with pytest.raises(StatementError, match="without a zone"):
        async with database.begin() as connection:
            await connection.execute(table.insert(), {"at": datetime(2026, 1, 31)})  # noqa: DTZ001
