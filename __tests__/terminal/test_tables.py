"""A table has whole cells, and fewer of them where there is less room."""

from rich.console import Console

from cryptomarket.terminal.tables import table_within


def test_columns_leave_group_by_group() -> None:
    """Promise: what is dispensable leaves in its order and only as far as it must; each cell that stays is whole."""
    rows = [{"a": "1234567890", "b": "22", "c": "33"}, {"a": "1", "c": "cc"}]
    console = Console(width=200)
    names = {
        width: [
            str(column.header)
            for column in table_within(
                console, width, ("a", "b", "c"), rows, dispensable=(("b",), ("c",)), to_the_left={"a"}
            ).columns
        ]
        for width in (24, 23, 19, 18, 1)
    }
    assert names == {24: ["a", "b", "c"], 23: ["a", "c"], 19: ["a", "c"], 18: ["a"], 1: ["a"]}
    table = table_within(console, 18, ("a", "b", "c"), rows, dispensable=(("b", "c"),), to_the_left={"a"})
    with console.capture() as drawn:
        console.print(table)
    assert "│ 1234567890 │" in drawn.get()
    assert "│ 1          │" in drawn.get()
