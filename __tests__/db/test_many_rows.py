"""Many rows by few statements: what they say, and how few they are."""

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text
from sqlalchemy.dialects import sqlite

from cryptomarket.db.many_rows import statements

TABLE = Table("things", MetaData(), Column("id", Integer, primary_key=True), Column("name", Text))


@pytest.mark.parametrize("count", [0, 1, 3, 10, 49, 999, 1000, 2313])
def test_every_row_is_inserted_once_and_in_order(count: int) -> None:
    """Promise: however many there are, the statements carry each of them, and have as many values as marks."""
    rows = [(number, f"n{number}") for number in range(count)]
    told = list(statements(TABLE, ("id", "name"), rows, sqlite.dialect()))
    assert [value for _, values in told for value in values] == [value for row in rows for value in row]
    assert all(text.count("?") == len(values) for text, values in told)
    assert all(text.startswith("INSERT INTO things (id, name)") for text, _ in told)
    assert all(text.endswith("ON CONFLICT DO NOTHING") for text, _ in told)


@pytest.mark.parametrize(("count", "most"), [(1000, 1), (999, 17), (5000, 5)])
def test_many_rows_are_few_statements(count: int, most: int) -> None:
    """Promise: a busy interpreter is waited for a few times, and not for each row."""
    rows = [(number, "n") for number in range(count)]
    assert len(list(statements(TABLE, ("id", "name"), rows, sqlite.dialect()))) <= most
