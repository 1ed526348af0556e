"""A row as flat cells: every field of its kind has its place, whatever is chosen."""

from decimal import Decimal

import pytest

from __tests__.history.test_rows import rows_of
from __tests__.history.world import heard, index_tick, option_tick, perpetual_tick, spot_tick
from cryptomarket.history.columns import CellKind, Columns
from cryptomarket.history.repository import Repository
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import Tick


@pytest.mark.parametrize("tick", [index_tick(1), perpetual_tick(2), option_tick(3), spot_tick(4)], ids=lambda t: t.kind)
async def test_the_cells_are_what_the_row_says(repository: Repository, tick: Tick) -> None:
    """Promise: each cell stands under its name, with the type that was announced."""
    await repository.keep(heard([tick], first_seq=7))
    [row] = await rows_of(repository, tick.ticker)
    columns = Columns(tick.kind)
    cells = dict(zip((column.name for column in columns.columns), columns.cells(row), strict=True))
    assert (cells["timestamp"], cells["price"], cells["position"]) == (tick.timestamp_ms, tick.price, "e1-7")
    types = {CellKind.TEXT: str, CellKind.INTEGER: int, CellKind.DECIMAL: Decimal}
    for column in columns.columns:
        assert cells[column.name] is None or type(cells[column.name]) is types[column.kind], column
    if tick.kind is Kind.PERPETUAL:
        assert (cells["stats.price_change"], cells["mark_price"]) == (Decimal("-0.0120"), Decimal("85499.90"))
    if tick.kind is Kind.OPTION:
        assert (cells["greeks.delta"], cells["underlying_index"]) == (Decimal("0.00001"), "SYN.XRP")


async def test_columns_are_chosen_by_the_names_of_fields(repository: Repository) -> None:
    """Promise: `stats` stands for all that lies in it; what the kind doesn't have is no column; one is enough."""
    await repository.keep(heard([perpetual_tick(5)]))
    [row] = await rows_of(repository, "BTC-PERPETUAL")
    columns = Columns(Kind.PERPETUAL, ["stats", "price", "greeks"])
    assert [column.name for column in columns.columns][:2] == ["price", "stats.high"]
    assert columns.cells(row)[:2] == (Decimal("8.55E+4"), Decimal(86000))
    assert Columns(Kind.PERPETUAL, ["timestamp"]).cells(row) == (5,)
    assert Columns(Kind.PERPETUAL, []).cells(row) == ()


async def test_a_row_without_a_summary_has_empty_cells(repository: Repository) -> None:
    """Promise: what was not sent is no value, and no row is left out for it."""
    await repository.keep(heard([index_tick(5)]))
    [row] = await rows_of(repository, "btc_usd")
    columns = Columns(Kind.PERPETUAL)
    assert len(columns.cells(row)) == len(columns.columns)
