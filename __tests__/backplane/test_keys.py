"""Keys."""

import asyncio
import re
from pathlib import Path

from __tests__.backplane.redis_server import shared_server, until
from __tests__.backplane.redis_world import fence_at, link_to, ticks
from cryptomarket.accounts.letters import one_time_key_name
from cryptomarket.accounts.profiles import PREFIX as PERSON
from cryptomarket.accounts.throttle import Throttle
from cryptomarket.backplane.bus import Notice, NoticeKind
from cryptomarket.backplane.keys import Keys
from cryptomarket.backplane.redis import RedisBus, RedisCache, RedisDemand, RedisLimiter, RedisLink, RedisMailroom
from cryptomarket.backplane.redis.mailroom import RedisLetter
from cryptomarket.clock import Clock
from cryptomarket.history.exports import Asker
from cryptomarket.history.public import PublicPrices
from cryptomarket.ingest.ownership import PEER_PREFIX
from cryptomarket.pulse import PREFIX as PULSE
from cryptomarket.secret import Secret

DOCUMENT = Path(__file__).parents[2] / "docs" / "redis.md"
ROW = re.compile(r"^\| `([^`]+)` \| ([a-z ]+) \| [^|]+ \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)
BOUND = re.compile(r"^\| `([^`]+)` \| [a-z ]+ \| [^|]+ \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
PREFIX = "cryptomarket:test:"
DAY_S = 86_400
FIELDS_OF_THE_ORDER = 6
TYPES = {"sorted set": "zset"}


def test_exchange_in_every_key() -> None:
    """Exchanges never meet in one Redis."""
    keys = Keys("simulator")
    names = [
        keys.order, keys.order_bell, keys.log("e"), keys.ticker("t"), keys.losses("g"), keys.lane("n"), keys.notices,
        keys.demand_bell, keys.cache("x"), keys.limit("x", 1, 2), keys.mail_bell("b"), keys.mail_reply("l"),
    ]  # fmt: skip
    assert all(name.startswith("cryptomarket:simulator:") for name in names)
    assert len(set(names)) == len(names)


async def test_the_latest_of_a_ticker_is_where_the_page_looks() -> None:
    """Whoever copies the command of docs/redis.md finds the last tick."""
    [key, field] = re.findall(r"^    redis-cli HGET (\S+) (\S+)$", DOCUMENT.read_text(), re.MULTILINE)[0]
    assert key == Keys("production").ticker("btc_usd")
    async with link_to(shared_server()) as link, RedisBus(link, log_capacity=5, log_hard_capacity=5) as bus:
        await bus.publish(ticks("btc_usd", payload=b'{"price":1.50}'), await fence_at(link, "slot"))
        assert await link.ask("HGET", link.keys.ticker("btc_usd"), field) == b'{"price":1.50}'


async def _lose_some(bus: RedisBus, link: RedisLink, group: str) -> None:
    fence = await fence_at(link, "slot")
    await bus.publish(ticks("a", "a"), fence)
    await bus.consume(group, "one", limit=1, wait_s=1)
    await bus.publish(ticks(*"abcdefghij"), fence)


async def _use_everything(link: RedisLink) -> None:
    async with RedisBus(link, log_capacity=5, log_hard_capacity=5) as bus:
        await bus.remember("b", b"{}")
        await _lose_some(bus, link, "store")
        # What a restart looks like to a script, without one.
        await link.ask("HSET", link.keys.order, "run_id", "another")
        await _lose_some(bus, link, "audit")
        await bus.notify(Notice(NoticeKind.DEMAND, "a"))
    await RedisCache(link).put("key", b"", life_s=10)
    await RedisLimiter(link).take("key", limit=1, period_s=1)
    await RedisDemand(link).want("me", ["a"], life_s=10)
    # An asker that was killed leaves this behind.
    await link.ask("SET", f"{PREFIX}mail:asked:gone", "", "PX", 10_000)
    await RedisLetter(link, "gone", b"").reply(b"")


async def test_each_is_documented_with_its_type_and_its_life() -> None:
    """Promise: nothing is in Redis that the document does not name, and nothing lives longer than it says."""
    with shared_server().client() as client:
        client.flushall()
        async with link_to(shared_server()) as link:
            await _use_everything(link)
            asking = asyncio.create_task(RedisMailroom(link).ask("box", b"", timeout_s=10))
            await asyncio.to_thread(until, lambda: bool(client.exists(f"{PREFIX}mail:box:box")), "nothing was posted")
            keys = {name: (client.type(name).decode(), client.pttl(name)) for name in client.keys("*")}
            assert client.hlen(f"{PREFIX}order") == FIELDS_OF_THE_ORDER
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
    rows = ROW.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert len(rows) > 20
    found = set()
    for key, (kind, left_ms) in keys.items():
        name = key.decode().removeprefix(PREFIX)
        (row,) = [row for row in rows if re.fullmatch(re.sub("<[a-z]+>", "[^:]+", row[0]), name)]
        found.add(row[0])
        assert kind == TYPES.get(row[1], row[1]), name
        assert row[2].startswith("–") or left_ms > 0, name
    assert found == {row[0] for row in rows}


async def test_what_callers_make_more_of_is_named_with_its_number() -> None:
    """Promise: each limit, and each kind of value that is kept for a while, stands in the document with how many there
    may be.
    """
    told = re.findall(r"^\| `((?:limit|cache):[^`]+)` \| [^|]+ \| [^|]+ \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    with shared_server().client() as client:
        client.flushall()
        async with link_to(shared_server()) as link:
            limiter = RedisLimiter(link)
            throttle = Throttle(limiter, digest_key=Secret("k" * 32), per_address=2, per_client=1, period_s=10)
            await throttle.failed("127.0.0.1", "somebody")
            await PublicPrices(limiter, Clock.system(), tickers=(), per_minute=1).admit("127.0.0.1")
        limits = {key.decode().removeprefix(PREFIX) for key in client.keys("*")}
    values = {
        f"cache:{name}"
        for name in (f"{PERSON}x", one_time_key_name("x"), Asker("x", "y").key, f"{PULSE}x:y", f"{PEER_PREFIX}x")
    }
    patterns = {name: re.sub("<[a-z]+>", "[^:]+", name).replace("…", ".+") for name in told}
    named = {name for name, pattern in patterns.items() if any(re.fullmatch(pattern, each) for each in limits | values)}
    assert len(limits) == 3
    assert named == set(told)
    assert len(told) == len(limits | values)


def _bound(key: str) -> int:
    """What the page says that a key holds at most."""
    told = dict(BOUND.findall(DOCUMENT.read_text(encoding="utf-8")))[key]
    return int(re.sub(r"^one\b", "1", told).split()[0])


async def test_a_bell_keeps_what_wakes_its_readers_and_no_more() -> None:
    """Promise: letters that nobody fetches, notices, wants and epochs each leave at most what the page says."""
    with shared_server().client() as client:
        client.flushall()
        async with link_to(shared_server()) as link, RedisBus(link, log_capacity=5, log_hard_capacity=5) as bus:
            client.rpush(f"{PREFIX}mail:bell:box", *[b""] * 99)
            asking = asyncio.create_task(RedisMailroom(link).ask("box", b"", timeout_s=10))
            await asyncio.to_thread(until, lambda: bool(client.exists(f"{PREFIX}mail:box:box")), "nothing was posted")
            assert client.llen(f"{PREFIX}mail:bell:box") == _bound("mail:bell:<box>")
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            with client.pipeline() as many:
                for number in range(_bound("notices")):
                    many.xadd(f"{PREFIX}notices", {"demand": str(number)})
                many.execute()
            await bus.notify(Notice(NoticeKind.DEMAND, "last"))
            assert client.xlen(f"{PREFIX}notices") == _bound("notices")
            for ticker in "ab":
                await RedisDemand(link).want("me", [ticker], life_s=10)
                # What a restart looks like to a script, without one.
                await link.ask("HSET", link.keys.order, "run_id", "another")
                await bus.publish(ticks("a"), await fence_at(link, "slot"))
            assert client.xlen(f"{PREFIX}demand:bell") == _bound("demand:bell")
            assert client.xlen(f"{PREFIX}order:bell") == _bound("order:bell")


async def test_a_name_without_publications_leaves_the_list_of_tickers() -> None:
    """Promise: tickers that lapsed are named no longer than the page says."""
    days = int(re.findall(r"one per ticker of the last (\d+) days", DOCUMENT.read_text(encoding="utf-8"))[0])
    with shared_server().client() as client:
        client.flushall()
        async with link_to(shared_server()) as link, RedisBus(link, log_capacity=5, log_hard_capacity=5) as bus:
            today = client.time()[0] // DAY_S
            client.zadd(f"{PREFIX}tickers", {"kept": today - days + 1, "lapsed": today - days - 1})
            await bus.publish(ticks("new"), await fence_at(link, "slot"))
            assert client.zrange(f"{PREFIX}tickers", 0, -1) == [b"kept", b"new"]


async def test_who_publishes_keeps_his_lane() -> None:
    """Promise: a publisher that runs for longer than a lane's life is refused nothing: publishing renews it."""
    with shared_server().client() as client:
        client.flushall()
        async with link_to(shared_server()) as link, RedisBus(link, log_capacity=5, log_hard_capacity=5) as bus:
            fence = await fence_at(link, "slot")
            await bus.publish(ticks("a"), fence)
            (lane,) = client.keys(f"{PREFIX}lane:*")
            client.expire(lane, DAY_S // 3)
            await bus.publish(ticks("a"), fence)
            assert client.ttl(lane) > DAY_S / 2


async def test_what_is_kept_aside_is_what_consumers_hold() -> None:
    """Promise: entries that the log gave up are kept while somebody holds them, and no more than the page says."""
    capacity = 5
    with shared_server().client() as client:
        client.flushall()
        async with link_to(shared_server()) as link:
            bus = RedisBus(link, log_capacity=capacity, log_hard_capacity=capacity)
            async with bus:
                fence = await fence_at(link, "slot")
                told = await bus.publish(ticks(*"abcd"), fence)
                await bus.consume("store", "one", limit=4, wait_s=1)
                await bus.publish(ticks(*"abcde"), fence)
                held = f"{PREFIX}held:{told[0].position.epoch}:store"
                assert client.xlen(held) == 4
                await bus.acknowledge("store", told[:3])
                await bus.publish(ticks("a"), fence)
                assert client.xlen(held) == 1
                for _ in range(3):
                    await bus.consume("store", "one", limit=capacity, wait_s=1)
                    await bus.publish(ticks(*"abcde"), fence)
                assert client.xlen(held) == capacity
