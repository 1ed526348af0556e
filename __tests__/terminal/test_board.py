"""What a person sees is what was heard, and how far it can be believed."""

from rich.console import Console

from __tests__.terminal.heard import connected, heard, tick
from cryptomarket.client import Heard, Interrupted
from cryptomarket.terminal.board import Board


def drawn(board: Board, width: int = 120) -> str:
    """The board as text."""
    console = Console(width=width, record=True, force_terminal=False)
    with console.capture() as capture:
        console.print(board)
    return capture.get()


def test_prices_states_and_ages_are_shown() -> None:
    """Promise: price with its direction, change since the beginning, feed state and age of each ticker."""
    board = Board(lambda: 3_500_000)
    board.expect(["btc_usd"])
    assert "unknown" in drawn(board)
    board.hear(connected("fresh"))
    board.hear(tick(1, 100))
    board.hear(tick(2, 101.5))
    board.hear(heard("status", "e-3", ticker="btc_usd", state="stale", since_ms=1, age_ms=2, reason="r", seq=3))
    text = drawn(board)
    for told in ("simulator  simulated prices  connected", "101.5 ▲", "+1.500 %", "stale", "1.5 s", "e-3"):
        assert told in text
    board.hear(tick(4, 99))
    assert "99 ▼" in drawn(board)


def test_quotes_and_snapshots_are_shown() -> None:
    """Promise: an instrument has its bid and ask, also before its first tick."""
    board = Board(lambda: 3_000_000)
    board.hear(
        heard(
            "snapshot", "e-1", seq=1, prev_seq=None, ticker="BTC-PERPETUAL", instrument_name="BTC-PERPETUAL",
            kind="perpetual", price=85500, timestamp=1, received_us=2, published_us=3, best_bid_price=85499.5,
            best_ask_price=85500.5, age_ms=3, state="live", since_ms=1, last_seq=1,
        )
    )  # fmt: skip
    text = drawn(board)
    assert "85,499.5" in text
    assert "85,500.5" in text
    assert "live" in text


def test_trouble_is_shown() -> None:
    """Promise: a lost connection, its resumption, a reset and the last gaps can be seen."""
    board = Board(lambda: 0)
    board.hear(connected("fresh"))
    board.hear(Heard("interrupted", "", Interrupted(reason="drain", returns_in_s=2.5), "e-1"))
    assert "drain – back in 2.5 s" in drawn(board)
    board.hear(connected("complete"))
    board.hear(connected("reset"))
    for number in range(5):
        board.hear(
            heard("gap", "e-9", ticker="btc_usd", from_ms=0, to_ms=number * 1000, cause="silence", state="recorded")
        )
    board.hear(heard("keep_alive", position="e-9", server_time_us=1, feeds={"btc_usd": {"state": "down"}}))
    text = drawn(board)
    assert "resumed 1  reset 1" in text
    assert "down" in text
    assert text.count("not heard (silence)") == 3
    assert "4.0 s not heard" in text


def test_a_narrow_terminal_goes_without_what_is_dispensable() -> None:
    """Promise: however narrow, no price is cut off and no line is longer than the terminal: columns leave instead, the
    least needed first, and come back with the room.
    """
    board = Board(lambda: 3_500_000)
    board.hear(connected("fresh"))
    board.hear(tick(1, 85_500.25))
    board.hear(heard("gap", "e-2", ticker="btc_usd", from_ms=0, to_ms=1000, cause="silence", state="recorded", seq=2))
    shown = {}
    for width in range(26, 121):
        text = drawn(board, width)
        assert "85,500.25" in text, width
        assert "btc_usd" in text, width
        assert max(map(len, text.splitlines())) <= width
        shown[width] = {name for name in ("change", "bid", "ask", "feed", "age", "ticks") if f" {name} " in text}
    assert shown[26] == set()
    assert shown[120] == {"change", "bid", "ask", "feed", "age", "ticks"}
    assert all(shown[width] <= shown[width + 1] for width in range(26, 120))
    assert "Ctrl-C ends" in drawn(board, 26)
