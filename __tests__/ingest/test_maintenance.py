"""Maintenance, silence and clocks: what was missed is told, and only that."""

import msgspec
import pytest

from __tests__.ingest.house import INDEX, OPTION, PERIODS, House, tick_at, ticker_of
from cryptomarket.deribit.events import Lost, Ready
from cryptomarket.ingest.gaps import Watch

CHANNEL = "deribit_price_index.btc_usd"


async def test_a_tick_during_maintenance_is_published_and_ends_nothing() -> None:
    """Promise: maintenance lasts until the exchange says so, and what was never unheard shows no gap."""
    house = House(INDEX)
    await house.begin()
    house.heard(INDEX)
    house.platform(maintenance=True)
    house.hands.forward(1)
    house.heard(INDEX)
    assert await house.told() == ["tick", "live:None", "maintenance:maintenance", "tick"]
    house.platform(maintenance=False)
    house.hands.forward(1)
    house.heard(INDEX)
    assert await house.told() == ["stale:maintenance", "tick", "live:None"]


@pytest.mark.parametrize("ends_by_word", [True, False])
async def test_a_loss_during_maintenance_is_told_as_its_gap(ends_by_word: bool) -> None:
    """Promise: what maintenance took is told with its name, also when its end was only felt."""
    house = House(INDEX)
    await house.begin()
    house.heard(INDEX)
    house.platform(maintenance=True)
    house.hands.forward(1)
    house.heard(INDEX)
    house.feed.hear(Lost(0, (CHANNEL,), "closed"))
    assert (await house.told())[2:] == ["maintenance:maintenance", "tick"]
    if ends_by_word:
        house.platform(maintenance=False)
    house.feed.hear(Ready(0))
    house.hands.forward(5)
    house.heard(INDEX)
    assert (await house.told())[-3:] == ["gap:maintenance", "tick", "live:heard"]


@pytest.mark.parametrize("trouble", ["maintenance", "loss"])
async def test_an_unchanged_option_is_live_again_by_proof(trouble: str) -> None:
    """Promise: what never changes doesn't stay down for ever once its channel is held again."""
    house = House(OPTION)
    await house.begin()
    house.held()
    house.heard(OPTION)
    sent_ms = house.hands.now_ms
    house.exchange.answers[OPTION.name] = msgspec.json.encode(ticker_of(OPTION, sent_ms))
    if trouble == "maintenance":
        house.platform(maintenance=True)
        house.platform(maintenance=False)
    house.feed.hear(Lost(0, tuple(house.exchange.held[0]), "closed"))
    await house.told()
    house.hands.forward(31)
    assert house.feed.check_silence() == []
    house.held()
    silent = house.feed.check_silence()
    assert [watch.ticker for watch in silent] == [OPTION.name]
    await house.holding.ask_all(silent)
    assert await house.told() == ["live:unchanged"]


def test_echoes_for_longer_than_patience_are_stale_by_the_clock() -> None:
    """Promise: an instrument whose words are all too old is not called live."""
    watch = Watch(OPTION, PERIODS.patience, now_s=0.0, now_ms=1_000_000)
    watch.heard(tick_at(OPTION, 1_000_000), now_s=0.0, now_ms=1_000_000)
    told = [
        word
        for second in range(1, 40)
        for word in watch.heard(tick_at(OPTION, 900_000 + second), now_s=second, now_ms=1_000_000 + second * 1000)[1]
    ]
    assert [(word.state, word.reason) for word in told] == [("stale", "clock")]  # type: ignore[union-attr]
    again = watch.heard(tick_at(OPTION, 1_050_000, "2"), now_s=50.0, now_ms=1_050_000)[1]
    assert [type(word).__name__ for word in again] == ["Gap", "Tick", "Status"]


async def test_a_silence_check_that_comes_late_lets_the_sockets_be_read_first() -> None:
    """Promise: a process that stood still publishes no silence of its own making, and one round later it looks."""
    house = House(INDEX)
    await house.begin()
    house.heard(INDEX)
    await house.told()
    house.hands.forward(7)
    assert house.holding.look(late_s=6.0) == []
    assert await house.told() == []
    house.holding.look(late_s=6.0)
    assert await house.told() == ["stale:silence"]
