"""Tables in which nothing is cut off: a price without its last digits would be another price."""

from collections.abc import Collection, Mapping, Sequence

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table

_ENDLESS = 1000


def table_within(
    console: Console,
    width: int,
    names: Sequence[str],
    rows: Collection[Mapping[str, RenderableType]],
    *,
    dispensable: Sequence[Collection[str]],
    to_the_left: Collection[str],
) -> Table:
    """The rows as a table of these columns, of which the dispensable leave, one group after the other, until what is
    left is no wider than `width`.
    """
    table = _table(names, rows, to_the_left)
    for group in dispensable:
        if Measurement.get(console, console.options.update(max_width=_ENDLESS), table).maximum <= width:
            break
        names = tuple(name for name in names if name not in group)
        table = _table(names, rows, to_the_left)
    return table


def _table(names: Sequence[str], rows: Collection[Mapping[str, RenderableType]], to_the_left: Collection[str]) -> Table:
    table = Table(expand=False)
    for name in names:
        table.add_column(name, justify="left" if name in to_the_left else "right", no_wrap=True)
    for cells in rows:
        table.add_row(*(cells.get(name, "") for name in names))
    return table
