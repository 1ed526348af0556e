"""Requests and logins: one attempt, on a slot of its own, within the deadline, and no trace afterwards."""

import asyncio
import time
from dataclasses import replace

import msgspec
import pytest

from __tests__.deribit.conftest import QUICK
from __tests__.deribit.ears import BTC, Ears, applied, demo_key, eventually, options_for, running_pool
from cryptomarket.deribit.events import Held, Lost, Ready
from cryptomarket.errors import ExchangeFatal, ExchangeRetryable, ExchangeUnavailable
from cryptomarket.simulator.credits import DEFAULT_POOLS, Pool
from cryptomarket.simulator.faults import Fault
from cryptomarket.simulator.server import RunningSimulator, running


async def test_a_request_is_answered_with_json_as_sent(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        result = await pool.request("public/get_index_price_names", {}, timeout_s=5)
        assert "btc_usd" in msgspec.json.decode(result)


async def test_many_requests_at_once_each_get_their_own_answer(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator, login_slots=2), ears) as pool:
        names = ["BTC-PERPETUAL", "ETH-PERPETUAL", "SOL_USDC-PERPETUAL"] * 10
        answers = await asyncio.gather(
            *(pool.request("public/ticker", {"instrument_name": name}, timeout_s=5) for name in names)
        )
        assert [msgspec.json.decode(answer)["instrument_name"] for answer in answers] == names


async def test_a_refusal_of_the_exchange_reaches_who_asked(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        with pytest.raises(ExchangeFatal) as refused:
            await pool.request("public/get_instrument", {"instrument_name": "NOPE"}, timeout_s=5)
        assert refused.value.code == -32602
        assert not ears.told(Lost)


async def test_the_right_pair_is_identified_and_logged_out(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        await ears.until(lambda: len(ears.told(Ready)) == 3)
        before = set(simulator.exchange.connections)
        holder = await pool.identify(demo_key(), timeout_s=5)
        assert holder.email == "demo-1@example.com"
        assert holder.deribit_id > 0
        await ears.until(lambda: len(ears.told(Ready)) == 4)
        after = set(simulator.exchange.connections)
        # The slot came back as a fresh connection, the data slots were left alone, and nobody is logged in.
        assert (len(after), len(after - before)) == (3, 1)
        assert not any(connection.client_id for connection in simulator.exchange.connections.values())
        requests = simulator.exchange.journal.requests
        assert (requests["public/auth"], requests["private/logout"]) == (1, 1)
        assert not ears.told(Lost)


async def test_the_wrong_pair_is_told_after_one_attempt_and_the_slot_stays(
    simulator: RunningSimulator, ears: Ears
) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        with pytest.raises(ExchangeFatal) as refused:
            await pool.identify(demo_key(secret="wrong"), timeout_s=5)
        assert refused.value.code == 13004
        assert "wrong" not in str(refused.value)
        assert simulator.exchange.journal.logins_refused == 1
        assert (await pool.identify(demo_key(2), timeout_s=5)).username
        assert simulator.exchange.journal.connections_opened == 3


async def test_many_people_are_identified_one_after_another_each_as_himself(
    simulator: RunningSimulator, ears: Ears
) -> None:
    async with running_pool(options_for(simulator, login_slots=2), ears) as pool:
        holders = await asyncio.gather(*(pool.identify(demo_key(number), timeout_s=10) for number in range(1, 13)))
        assert [holder.email for holder in holders] == [f"demo-{number}@example.com" for number in range(1, 13)]
        await eventually(lambda: simulator.exchange.journal.requests["private/logout"] == 12)
        assert not simulator.exchange.journal.errors


async def test_a_login_waits_for_the_requests_on_its_slot_and_takes_no_others(
    simulator: RunningSimulator, ears: Ears
) -> None:
    simulator.add_faults(Fault(kind="mute", methods=("public/get_time",)))
    async with running_pool(options_for(simulator), ears) as pool:
        await ears.until(lambda: len(ears.told(Ready)) == 3)
        slow = asyncio.create_task(pool.request("public/get_time", {}, timeout_s=0.4))
        await eventually(lambda: applied(simulator) == 1)
        login = asyncio.create_task(pool.identify(demo_key(), timeout_s=5))
        behind = asyncio.create_task(pool.request("public/status", {}, timeout_s=5))
        done, _ = await asyncio.wait([slow, login], return_when=asyncio.FIRST_COMPLETED)
        assert done == {slow}
        with pytest.raises(ExchangeUnavailable):
            await slow
        assert (await login).email == "demo-1@example.com"
        assert b"locked" in await behind
        # It was asked on the connection that came after the login.
        assert simulator.exchange.journal.connections_opened == 4


async def test_a_login_that_gets_no_answer_is_unavailable_and_its_slot_comes_back_fresh(
    simulator: RunningSimulator, ears: Ears
) -> None:
    simulator.add_faults(Fault(kind="mute", methods=("private/get_account_summary",), count=1))
    async with running_pool(options_for(simulator), ears) as pool:
        with pytest.raises(ExchangeUnavailable):
            await pool.identify(demo_key(), timeout_s=0.4)
        await ears.until(lambda: len(ears.told(Ready)) == 4)
        assert (await pool.identify(demo_key(), timeout_s=5)).email == "demo-1@example.com"


async def test_whoever_stops_waiting_for_a_login_leaves_no_session_logged_in(
    simulator: RunningSimulator, ears: Ears
) -> None:
    simulator.add_faults(Fault(kind="mute", methods=("private/get_account_summary",), count=1))
    async with running_pool(options_for(simulator), ears) as pool:
        login = asyncio.create_task(pool.identify(demo_key(), timeout_s=60))
        await eventually(lambda: applied(simulator) == 1)
        login.cancel()
        await asyncio.wait([login])
        await ears.until(lambda: len(ears.told(Ready)) == 4)
        assert not any(connection.client_id for connection in simulator.exchange.connections.values())


async def test_a_connection_lost_during_a_login_is_unavailable_and_not_wrong(
    simulator: RunningSimulator, ears: Ears
) -> None:
    simulator.add_faults(Fault(kind="mute", methods=("public/auth",), count=1))
    async with running_pool(options_for(simulator), ears) as pool:
        login = asyncio.create_task(pool.identify(demo_key(), timeout_s=60))
        await eventually(lambda: applied(simulator) == 1)
        simulator.add_faults(Fault(kind="drop"))
        with pytest.raises(ExchangeUnavailable, match="lost"):
            await login


async def test_data_goes_on_undisturbed_while_people_log_in(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC])
        await ears.hear(Held)
        for number in (1, 2, 3):
            await pool.identify(demo_key(number), timeout_s=5)
        heard = ears.heard_on(BTC)
        await ears.until(lambda: ears.heard_on(BTC) > heard)
        assert simulator.exchange.journal.channels_opened[BTC] == 1


async def test_credits_are_waited_for_rather_than_overspent(ears: Ears) -> None:
    # As strict as the real one: whoever sends one request too many loses his session.
    async with (
        running(QUICK) as simulator,
        running_pool(options_for(simulator, login_slots=2), ears) as pool,
    ):
        await asyncio.gather(*(pool.request("public/get_time", {}, timeout_s=10) for _ in range(120)))
        assert 10028 not in simulator.exchange.journal.errors
        assert not ears.told(Lost)


async def test_too_long_a_wait_for_credits_is_refused_at_once(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator, max_waiting=10_000), ears) as pool:
        await ears.until(lambda: len(ears.told(Ready)) == 3)
        asked = [pool.request("public/get_time", {}, timeout_s=0.01) for _ in range(200)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        refused = [result for result in results if isinstance(result, ExchangeUnavailable)]
        assert refused
        assert any("credits" in error.detail and error.retry_after_s > 0 for error in refused)
        assert 10028 not in simulator.exchange.journal.errors


async def test_who_is_late_after_waiting_for_credits_asks_no_more(simulator: RunningSimulator, ears: Ears) -> None:
    """Promise: whoever has waited for credits beyond his deadline, on a machine that stood still, is refused and sends
    nothing: what was sent before has not even arrived, and the exchange counts from when it does.
    """
    async with running_pool(options_for(simulator, max_waiting=10_000), ears) as pool:
        await ears.until(lambda: len(ears.told(Ready)) == 3)
        asked = [asyncio.create_task(pool.request("public/get_time", {}, timeout_s=0.2)) for _ in range(200)]
        # sleep: once each has taken what there is, or waits, nothing goes on for a second, here or at the simulator.
        asyncio.get_running_loop().call_soon(time.sleep, 1)
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert any("credits" in result.detail for result in results if isinstance(result, ExchangeUnavailable))
        assert not simulator.exchange.journal.errors
        assert not ears.told(Lost)


async def test_an_exchange_that_gives_less_than_it_says_ends_in_a_typed_error(ears: Ears) -> None:
    poor = {**DEFAULT_POOLS, "default": Pool(500, 6_000, 10)}
    async with (
        running(replace(QUICK, pools=poor)) as simulator,
        running_pool(options_for(simulator), ears) as pool,
    ):
        await ears.until(lambda: len(ears.told(Ready)) == 3)
        results = await asyncio.gather(
            *(pool.request("public/get_time", {}, timeout_s=1) for _ in range(20)), return_exceptions=True
        )
        refused = [result for result in results if isinstance(result, BaseException)]
        assert refused
        assert all(isinstance(error, ExchangeRetryable | ExchangeUnavailable) for error in refused)
        assert any(isinstance(error, ExchangeRetryable) and error.code == 10028 for error in refused)


async def test_only_so_many_wait(simulator: RunningSimulator, ears: Ears) -> None:
    simulator.add_faults(Fault(kind="refuse_connections"))
    async with running_pool(options_for(simulator, max_waiting=3), ears) as pool:
        waiting = [asyncio.create_task(pool.request("public/get_time", {}, timeout_s=0.5)) for _ in range(3)]
        await asyncio.sleep(0)  # sleep: one turn of the loop, in which they begin to wait
        with pytest.raises(ExchangeUnavailable, match="Too many"):
            await pool.request("public/get_time", {}, timeout_s=5)
        with pytest.raises(ExchangeUnavailable, match="Too many"):
            await pool.identify(demo_key(), timeout_s=5)
        await asyncio.wait(waiting)
        assert all(isinstance(task.exception(), ExchangeUnavailable) for task in waiting)
        with pytest.raises(ExchangeUnavailable, match="reached"):
            await pool.identify(demo_key(), timeout_s=0.05)


async def test_nobody_waits_for_an_exchange_that_turns_everybody_away(simulator: RunningSimulator, ears: Ears) -> None:
    """Promise: with no session up and none on its way, a login and a request are told so at once, not at a deadline."""
    simulator.add_faults(Fault(kind="refuse_connections"))
    async with running_pool(options_for(simulator), ears) as pool:
        await eventually(lambda: applied(simulator) >= 3)
        async with asyncio.timeout(2):
            with pytest.raises(ExchangeUnavailable, match="reached") as away:
                await pool.identify(demo_key(), timeout_s=60)
            with pytest.raises(ExchangeUnavailable, match="reached"):
                await pool.request("public/get_time", {}, timeout_s=60)
        assert away.value.retry_after_s > 0


async def test_who_logs_in_is_told_that_nobody_is_there_before_he_pays(simulator: RunningSimulator, ears: Ears) -> None:
    """Promise: a login is not left waiting for credits, which tries to come back have used up, when every slot was
    turned away.
    """
    simulator.add_faults(Fault(kind="refuse_connections"))
    async with running_pool(options_for(simulator, backoff_base_s=0.001, backoff_cap_s=0.002), ears) as pool:
        await eventually(lambda: pool.states()[0].credits < 6_000)
        async with asyncio.timeout(2):
            with pytest.raises(ExchangeUnavailable, match="reached"):
                await pool.identify(demo_key(), timeout_s=60)


async def test_a_slot_that_is_on_its_way_is_waited_for(simulator: RunningSimulator, ears: Ears) -> None:
    """Promise: a login that comes while the sessions connect, or come back after a loss, is let in."""
    async with running_pool(options_for(simulator), ears) as pool:
        assert (await pool.identify(demo_key(), timeout_s=5)).email == "demo-1@example.com"
        simulator.add_faults(Fault(kind="drop"))
        await ears.until(lambda: len(ears.told(Lost)) >= 2)
        assert (await pool.identify(demo_key(2), timeout_s=5)).email == "demo-2@example.com"


async def test_the_patience_with_a_slot_that_does_not_come_ends(simulator: RunningSimulator, ears: Ears) -> None:
    """Promise: a connection that hangs on its way is waited for a short while, not for as long as the asker would."""
    simulator.add_faults(Fault(kind="mute", methods=("public/hello",)))
    async with running_pool(options_for(simulator, reconnect_patience_s=0.2, request_timeout_s=30), ears) as pool:
        async with asyncio.timeout(5):
            with pytest.raises(ExchangeUnavailable, match="reached"):
                await pool.identify(demo_key(), timeout_s=60)
