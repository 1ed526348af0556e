"""What seats want, counted."""

from cryptomarket.live.interest import Interest
from cryptomarket.live.mailbox import LogMailbox
from cryptomarket.live.seat import Seat


def test_what_is_wanted_changes_with_the_first_and_the_last() -> None:
    """Promise: a thousand readers of a ticker are one want, which ends with the last of them."""
    interest = Interest()
    interest.more("btc_usd")
    assert interest.changed.is_set()
    interest.changed.clear()
    interest.more("btc_usd")
    interest.less("btc_usd")
    assert not interest.changed.is_set()
    assert set(interest.tickers) == {"btc_usd"}
    interest.less("btc_usd")
    assert interest.changed.is_set()
    assert not interest.tickers


def test_who_has_left_is_not_remembered() -> None:
    """Promise: nothing is kept of a ticker to which nobody listens."""
    interest, seat = Interest(), Seat(LogMailbox(1024), "u")
    interest.listen(seat, "btc_usd")
    assert set(interest.listeners("btc_usd")) == {seat}
    interest.unlisten(seat, "eth_usd")
    interest.unlisten(seat, "btc_usd")
    assert not interest.listeners("btc_usd")
