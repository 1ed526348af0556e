"""An old owner of slots that stood still and wakes up, under a deployment of real processes: its words are refused."""

import asyncio
import signal
from pathlib import Path

from __tests__.journeys.black_hole import black_hole
from __tests__.journeys.gateway import reading
from __tests__.journeys.monitor import Monitor, monitor
from __tests__.journeys.scaled import SLOTS, TICKERS, deployment_on, own_redis
from __tests__.journeys.witness import check_everything, comes_true, hears
from __tests__.postgres_server import PostgresServer
from cryptomarket.backplane.redis.script import PUBLISHING, Script

PUBLISH = Script("publish", PUBLISHING)
WROTE = b' lua] "XADD" "cryptomarket:simulator:log:'


def publishes(lines: list[bytes], slot: int) -> list[tuple[int, bool]]:
    """The token of each attempt to publish for a slot, in order, and whether anything came into the log by it."""
    found: list[tuple[int, bool]] = []
    asked = f'"EVALSHA" "{PUBLISH.sha}"'.encode()
    name = f'"slot:{slot}" "'.encode()
    is_asked = False
    for line in lines:
        if asked in line:
            is_asked = name in line
            if is_asked:
                found.append((int(line.partition(name)[2].partition(b'"')[0]), False))
        elif b" lua] " not in line:
            is_asked = False
        elif is_asked and WROTE in line:
            found[-1] = found[-1][0], True
    return found


async def test_an_owner_that_wakes_up_cannot_publish(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: what a former owner of slots had on its way when it was let stand still arrives when others hold them,
    and is refused; nothing of it is in the log behind the first word of the next owner. It then goes on in order.
    """
    with own_redis() as redis, monitor(redis.port) as heard:
        async with (
            deployment_on(redis, tmp_path, postgres, "api1", "write1") as built,
            black_hole(redis.port) as way,
        ):
            await built.start("ingest1", redis_url=f"redis://127.0.0.1:{way.port}/0")
            await built.is_shared_by("ingest1")
            token, _ = await built["api1"].login()
            async with reading(built["api1"], token, tickers=",".join(TICKERS)) as reader:
                for ticker in TICKERS:
                    await hears(reader, ticker, *["tick"] * 5, since=0)
                way.hold(answers_too=False)
                await comes_true(lambda: PUBLISH.sha.encode() in way.held)
                process = built["ingest1"].process
                assert process is not None
                process.send_signal(signal.SIGSTOP)
                since = len(reader.events)
                await built.start("ingest2")
                await built.is_shared_by("ingest2")
                for ticker in TICKERS:
                    await hears(reader, ticker, "down", "gap:disconnect", "tick", "live", "tick", since=since)
                way.release()
                await comes_true(lambda: any(refused_late(heard, slot) for slot in range(SLOTS)))
                process.send_signal(signal.SIGCONT)
                await built.is_shared_by("ingest1", "ingest2")
                since = len(reader.events)
                for ticker in TICKERS:
                    await hears(reader, ticker, *["tick"] * 10, since=since)
                await check_everything(reader, built.scene("api1"), token, TICKERS)
            for slot in range(SLOTS):
                newest = 0
                for publish_token, was_written in publishes(heard.lines, slot):
                    assert publish_token >= newest or not was_written, "an old owner's word came into the log"
                    newest = max(newest, publish_token)
            await asyncio.gather(built["ingest1"].stop(), built["ingest2"].stop())
            await built.check_stored()
            await built.check_alive("api1", "write1")
            assert "Traceback" not in built["ingest1"].log_path.read_text()


def refused_late(heard: Monitor, slot: int) -> bool:
    """Whether somebody has tried to publish for the slot under an older token than one that was used before."""
    tokens = [publish_token for publish_token, _ in publishes(heard.lines, slot)]
    return any(tokens[at] < max(tokens[:at]) for at in range(1, len(tokens)))
