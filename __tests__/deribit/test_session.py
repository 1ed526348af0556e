"""A session against a running exchange: it holds what it should, and gets there again after whatever happens."""

from dataclasses import replace
from typing import Literal

import pytest
from structlog.testing import capture_logs

from __tests__.deribit.conftest import QUICK
from __tests__.deribit.ears import BTC, ETH, Ears, applied, demo_key, eventually, options_for, running_pool
from cryptomarket.deribit.events import Denied, Garbled, Heard, Held, Lost, Ready, Refused
from cryptomarket.deribit.mapping import channel_of, instruments_of, tick_of
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.simulator.faults import Fault
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import RunningSimulator, running

RAW = "ticker.BTC-PERPETUAL.raw"


async def test_it_introduces_itself_sets_its_heartbeat_and_then_holds_what_it_should(
    simulator: RunningSimulator, ears: Ears
) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC, "ticker.BTC-PERPETUAL.100ms"])
        await ears.hear(Held)
        heard = await ears.hear(Heard, which=lambda event: event.channel == "ticker.BTC-PERPETUAL.100ms")
        told = [type(event) for event in ears.events if event.slot == 0 and not isinstance(event, Heard)]
        assert told == [Ready, Held]
        [connection] = [c for c in simulator.exchange.connections.values() if c.channels]
        assert (connection.client, connection.heartbeat_s) == ("cryptomarket 2", 10)
        tick = tick_of(
            heard.channel,
            heard.data,
            instrument=Instrument("BTC-PERPETUAL", Kind.PERPETUAL),
            received_us=heard.received_us,
        )
        assert abs(tick.received_us // 1000 - tick.timestamp_ms) < 5_000


async def test_heartbeats_are_answered_so_nobody_hangs_up(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC])
        await eventually(lambda: simulator.exchange.journal.requests["public/test"] >= 9)
        assert not ears.told(Lost)
        assert not simulator.exchange.journal.closes


async def test_after_a_drop_it_comes_back_and_holds_the_same(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC, ETH])
        await ears.hear(Held)
        mark = len(ears.events)
        simulator.add_faults(Fault(kind="drop"))
        lost = await ears.hear(Lost, which=lambda event: event.slot == 0, after=mark)
        assert (set(lost.channels), lost.reason) == ({BTC, ETH}, "the connection broke")
        held = await ears.hear(Held, after=mark)
        assert set(held.channels) == {BTC, ETH}
        again = len(ears.events)
        await ears.hear(Heard, which=lambda event: event.channel == BTC, after=again)


async def test_a_close_of_the_exchange_is_told_with_its_words(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC])
        await ears.hear(Held)
        simulator.add_faults(Fault(kind="drop", close_code=4000))
        lost = await ears.hear(Lost, which=lambda event: event.slot == 0)
        assert lost.reason.startswith("closed by the exchange (4000")


async def test_two_and_a_half_silent_heartbeats_end_a_session_that_still_looks_connected(
    simulator: RunningSimulator, ears: Ears
) -> None:
    # 0.05 intervals of ten seconds: the simulator's heartbeats come every 0.2 s.
    async with running_pool(options_for(simulator, silent_intervals=0.05), ears) as pool:
        pool.hold(0, [BTC])
        await ears.hear(Held)
        mark = len(ears.events)
        numbers = tuple(simulator.exchange.connections)
        simulator.add_faults(Fault(kind="stall", connections=numbers))
        lost = await ears.hear(Lost, which=lambda event: event.slot == 0, after=mark)
        assert lost.reason.startswith("silent for")
        assert lost.channels == (BTC,)
        await ears.hear(Held, after=mark)


async def test_spent_credits_end_the_session_which_waits_and_comes_back(
    simulator: RunningSimulator, ears: Ears
) -> None:
    simulator.add_faults(Fault(kind="too_many_requests", methods=("public/subscribe",), count=1))
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC])
        lost = await ears.hear(Lost)
        assert (lost.slot, lost.reason) == (0, "the exchange counts no credits left")
        assert pool.states()[0].credits < 5_500
        held = await ears.hear(Held)
        assert held.channels == (BTC,)
        assert simulator.exchange.journal.errors[10028] == 1


async def test_an_unknown_ticker_is_told_and_costs_the_others_nothing(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC, "ticker.NOPE-PERPETUAL.100ms", "deribit_price_index.nope_usd"])
        refused = await ears.hear(Refused)
        assert set(refused.channels) == {"ticker.NOPE-PERPETUAL.100ms", "deribit_price_index.nope_usd"}
        assert [event.channels for event in ears.told(Held)] == [(BTC,)]
        pool.hold(0, [BTC, ETH])
        await ears.hear(Held, which=lambda event: ETH in event.channels)
        assert len(ears.told(Refused)) == 1


async def test_a_call_refused_as_a_whole_is_cut_until_only_the_bad_channel_is_refused(
    simulator: RunningSimulator, ears: Ears
) -> None:
    simulator.add_faults(Fault(kind="refuse", methods=("public/subscribe",), code=11050, count=1))
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC, ETH])
        await ears.until(lambda: {name for event in ears.told(Held) for name in event.channels} == {BTC, ETH})
        assert simulator.exchange.journal.subscribe_calls == 2
        assert not ears.told(Lost)
        assert not ears.told(Refused)


@pytest.mark.parametrize("code", [13004, 10000, 13021, 99_999])
async def test_a_refusal_that_says_nothing_of_names_is_told_as_denied_and_asked_again_until_it_ends(
    simulator: RunningSimulator, ears: Ears, code: int
) -> None:
    simulator.add_faults(Fault(kind="refuse", methods=("public/subscribe",), code=code))
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC, "platform_state"])
        await ears.until(lambda: {name for event in ears.told(Denied) for name in event.channels} >= {BTC})
        await eventually(lambda: simulator.exchange.journal.errors[code] >= 6)
        simulator.clear_faults()
        await ears.until(
            lambda: {name for event in ears.told(Held) for name in event.channels} == {BTC, "platform_state"}
        )
        assert not ears.told(Lost)
        assert not ears.told(Refused)


async def test_a_fault_of_ours_is_loud_and_no_word_about_the_ticker(simulator: RunningSimulator, ears: Ears) -> None:
    """Promise: -32602 without a reason that names the ticker is our fault: an error in the log, and nobody is told that
    his ticker does not exist.
    """
    simulator.add_faults(Fault(kind="refuse", methods=("public/subscribe",), code=-32602, count=1))
    with capture_logs() as logs:
        async with running_pool(options_for(simulator), ears) as pool:
            pool.hold(0, [BTC])
            assert (await ears.hear(Denied)).channels == (BTC,)
            await ears.hear(Held)
            assert not ears.told(Refused)
    [entry] = [entry for entry in logs if entry["log_level"] == "error"]
    assert (entry["code"], entry["channels"]) == (-32602, (BTC,))


async def test_a_refusal_that_says_there_is_no_such_name_is_told_as_refused(
    simulator: RunningSimulator, ears: Ears
) -> None:
    simulator.add_faults(Fault(kind="refuse", methods=("public/subscribe",), code=10020, count=1))
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC])
        assert (await ears.hear(Refused)).channels == (BTC,)
        assert not ears.told(Denied)


async def test_a_passing_refusal_is_asked_again_on_the_same_connection(simulator: RunningSimulator, ears: Ears) -> None:
    simulator.add_faults(Fault(kind="refuse", methods=("public/subscribe",), code=10041, count=2))
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC])
        await ears.hear(Held)
        assert not ears.told(Lost)
        assert simulator.exchange.journal.errors[10041] == 2


async def test_raw_without_a_login_is_held_slower_under_the_asked_name(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        assert pool.interval == "100ms"
        pool.hold(0, [BTC, RAW])
        held = await ears.hear(Held, which=lambda event: RAW in event.channels)
        assert set(held.channels) == {BTC, RAW}
        await ears.hear(Heard, which=lambda event: event.channel == RAW)
        assert simulator.exchange.subscriptions.followers().keys() == {BTC, "ticker.BTC-PERPETUAL.100ms"}
        assert simulator.exchange.journal.errors[13778] == 1


async def test_the_gateways_own_key_opens_raw_and_its_token_is_renewed_in_time(ears: Ears) -> None:
    async with (
        running(replace(QUICK, token_life_s=1)) as simulator,
        running_pool(options_for(simulator, size=2, key=demo_key()), ears) as pool,
    ):
        assert pool.interval == "raw"
        pool.hold(0, [RAW])
        await ears.hear(Held)
        assert RAW in simulator.exchange.subscriptions.followers()
        await eventually(lambda: simulator.exchange.journal.requests["public/auth"] >= 3)
        assert not ears.told(Lost)
        assert not simulator.exchange.journal.errors


async def test_a_token_that_dies_early_costs_one_reconnection_and_raw_goes_on(
    simulator: RunningSimulator, ears: Ears
) -> None:
    async with running_pool(options_for(simulator, size=2, key=demo_key()), ears) as pool:
        pool.hold(0, [BTC])
        await ears.hear(Held)
        simulator.add_faults(Fault(kind="expire_tokens"))
        pool.hold(0, [BTC, RAW])
        lost = await ears.hear(Lost)
        assert lost.reason == "the login no longer counts"
        await ears.hear(Held, which=lambda event: RAW in event.channels)
        assert RAW in simulator.exchange.subscriptions.followers()
        assert pool.interval == "raw"


async def test_an_own_key_that_is_refused_is_tried_once_and_leaves_the_slower_feed(
    simulator: RunningSimulator, ears: Ears
) -> None:
    async with running_pool(options_for(simulator, size=2, key=demo_key(secret="wrong")), ears) as pool:
        pool.hold(0, [RAW])
        await ears.hear(Heard, which=lambda event: event.channel == RAW)
        assert pool.interval == "100ms"
        simulator.add_faults(Fault(kind="drop"))
        mark = len(ears.events)
        await ears.hear(Held, after=mark)
        assert simulator.exchange.journal.requests["public/auth"] == 1


async def test_the_own_key_may_also_log_in_by_credentials(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator, size=2, key=demo_key(), grant="client_credentials"), ears) as pool:
        pool.hold(0, [RAW])
        await ears.hear(Held)
        assert simulator.exchange.subscriptions.followers().keys() == {RAW}


@pytest.mark.parametrize("shape", ["json", "binary"])
async def test_unreadable_frames_are_left_out_and_the_session_lives_on(
    simulator: RunningSimulator, ears: Ears, shape: Literal["json", "binary"]
) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC])
        await ears.hear(Held)
        simulator.add_faults(Fault(kind="malformed", shape=shape, count=3))
        await eventually(lambda: applied(simulator) == 3)
        mark = len(ears.events)
        await ears.hear(Heard, after=mark)
        assert not ears.told(Lost)


async def test_a_broken_frame_costs_the_connection_and_nothing_more(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC])
        await ears.hear(Held)
        mark = len(ears.events)
        simulator.add_faults(Fault(kind="malformed", shape="frame", count=1))
        await ears.hear(Lost, which=lambda event: event.channels == (BTC,), after=mark)
        await ears.hear(Held, after=mark)


async def test_a_refused_connection_is_tried_again_until_it_opens(simulator: RunningSimulator, ears: Ears) -> None:
    simulator.add_faults(Fault(kind="refuse_connections", count=4))
    async with running_pool(options_for(simulator), ears) as pool:
        await ears.until(lambda: len(ears.told(Ready)) == 3)
        assert simulator.exchange.journal.connections_refused == 4
        assert pool.reachable


async def test_an_answer_that_never_comes_costs_the_connection(simulator: RunningSimulator, ears: Ears) -> None:
    simulator.add_faults(Fault(kind="mute", methods=("public/subscribe",), count=1))
    async with running_pool(options_for(simulator, request_timeout_s=0.3), ears) as pool:
        pool.hold(0, [BTC])
        lost = await ears.hear(Lost)
        assert lost.reason == "The exchange did not answer public/subscribe in time."
        await ears.hear(Held)


async def test_many_channels_are_held_in_as_few_calls_as_the_limits_allow(ears: Ears) -> None:
    # Heartbeats of full length: a thousand first notifications may keep one loop busy longer than a shortened beat, and
    # a session that is lost for that asks anew.
    async with (
        running(SimulatorOptions(port=0)) as simulator,
        running_pool(options_for(simulator, request_timeout_s=60.0), ears) as pool,
    ):
        instruments, _ = instruments_of(await pool.request("public/get_instruments", {"currency": "any"}, timeout_s=60))
        wanted = {channel_of(instrument, pace) for instrument in instruments for pace in ("100ms", "agg2")}
        assert 1000 < len(wanted) <= 1500
        pool.hold(0, wanted)
        await ears.until(lambda: {name for event in ears.told(Held) for name in event.channels} == wanted)
        assert not ears.told(Lost)
        assert simulator.exchange.journal.subscribe_calls == 3
        assert not simulator.exchange.journal.errors


async def test_a_channel_taken_out_and_put_back_is_subscribed_anew(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC, ETH])
        await ears.hear(Held)
        pool.hold(0, [ETH])
        pool.hold(0, [BTC, ETH])
        await ears.until(lambda: len(ears.told(Held)) == 2)
        assert ears.told(Held)[1].channels == (BTC,)
        assert dict(simulator.exchange.journal.channels_opened) == {BTC: 2, ETH: 1}


async def test_what_nobody_wants_any_more_is_given_up(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC, ETH])
        await ears.hear(Held)
        pool.hold(0, [])
        await eventually(lambda: not simulator.exchange.subscriptions.followers())
        assert pool.states()[0].channels == 0


@pytest.mark.parametrize("shape", ["json", "binary"])
async def test_news_that_cannot_be_read_is_told_of_its_channel_or_of_all(
    simulator: RunningSimulator, ears: Ears, shape: Literal["json", "binary"]
) -> None:
    """Promise: a tick that came broken is told to be missed, and the session lives on."""
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC, ETH])
        await ears.hear(Held)
        simulator.add_faults(Fault(kind="malformed", shape=shape, count=1))
        garbled = await ears.hear(Garbled)
        assert garbled.slot == 0
        assert garbled.reason
        assert set(garbled.channels) <= {BTC, ETH}
        assert garbled.channels
        again = len(ears.events)
        await ears.hear(Heard, which=lambda event: event.channel == BTC, after=again)
        assert not ears.told(Lost)


async def test_a_socket_that_stands_still_is_given_up_and_replaced(simulator: RunningSimulator, ears: Ears) -> None:
    """Promise: two and a half heartbeats without a byte end a session; that is told, and its channels held anew."""
    options = replace(options_for(simulator), silent_intervals=0.1)
    async with running_pool(options, ears) as pool:
        pool.hold(0, [BTC])
        await ears.hear(Held)
        await ears.hear(Heard)
        mark = len(ears.events)
        simulator.add_faults(Fault(kind="stall", count=1))
        lost = await ears.hear(Lost, which=lambda event: BTC in event.channels, after=mark)
        assert lost.reason == "silent for 1 s"
        await ears.hear(Held, after=mark)
        again = len(ears.events)
        await ears.hear(Heard, which=lambda event: event.channel == BTC, after=again)
