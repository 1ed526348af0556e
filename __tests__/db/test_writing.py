"""What each database makes of the same pieces."""

from decimal import Decimal

import pytest
from sqlalchemy import Integer, Text, literal, select, union_all

from cryptomarket.db import Database, Digits, Price, bound_together


async def test_pieces_are_joined_as_they_are(empty_url: str) -> None:
    """Promise: what stands for a format elsewhere stands for itself here, and NULL is what one says it is."""
    database = Database(empty_url)
    writing = database.writing
    rows = [(7, "a%s'"), (8, "ü")]
    several = union_all(
        *(
            select(literal(number, Integer()).label("number"), literal(word, Text()).label("word"))
            for number, word in rows
        )
    ).subquery()
    number, word = several.c.number, several.c.word
    nothing = writing.shown(literal(None, Text()), absent="-")
    digits = [Digits(number, 3), Digits(number * 1001, 2)]
    line = writing.joined(["100 % %d '", number, '" ', word, nothing, writing.shown(number, absent="never"), *digits])
    ordered = select(line.label("line")).order_by(number.desc()).limit(9).subquery()
    async with database.read() as connection:
        told = (await connection.execute(select(bound_together(ordered.c.line, "\r\n")))).scalar_one()
    assert told == "100 % %d '8\" ü-80088008\r\n100 % %d '7\" a%s'-70077007"
    await database.close()


@pytest.mark.parametrize(
    ("price", "is_other"),
    [("0.000001", False), ("0.00000099", True), ("-0.0000001", True), ("0", False), ("0.000000", False),
     ("0.0000000", True), ("85500.120", False), ("-3", False)],
)  # fmt: skip
async def test_digits_that_are_spelled_otherwise_are_known(empty_url: str, price: str, *, is_other: bool) -> None:
    """Promise: where the database's digits are not Python's, it says so; SQLite keeps Python's own."""
    database = Database(empty_url)
    told = select(literal(Decimal(price), Price()).label("price")).subquery()
    shown = database.writing.shown(told.c.price, absent="")
    asked = select(shown, database.writing.is_spelled_alike(told.c.price), told.c.price)
    async with database.read() as connection:
        text, is_spelled_alike, value = (await connection.execute(union_all(asked))).one()
    assert (text == str(value)) is bool(is_spelled_alike)
    assert bool(is_spelled_alike) is not (is_other and not database.is_sqlite)
    await database.close()
