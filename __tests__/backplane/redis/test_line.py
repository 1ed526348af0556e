"""A line: what is lost is said in time, and not run down."""

import asyncio
import signal
import time

import pytest
from redis.backoff import ConstantBackoff
from redis.exceptions import AuthenticationError, NoScriptError

from __tests__.backplane.redis_server import RedisServer, until
from cryptomarket.backplane.redis.address import Patience, pool_of
from cryptomarket.backplane.redis.line import Line
from cryptomarket.errors import BusUnavailable

PASSWORD = "a-password-nobody-may-see"


def line_to(url: str, *, rest_s: float = 0.0, connections: int = 4) -> Line:
    patience = Patience(0.3, 0.3)
    pool = pool_of(url, patience, connections=connections)
    return Line(pool, patience, backoff=ConstantBackoff(rest_s), monotonic_s=time.monotonic)


async def test_answers_in_order(server: RedisServer) -> None:
    """Promise: what is sent together is answered together; more callers than connections wait their turn."""
    line = line_to(server.url, connections=2)
    assert await line.ask(("SET", "k", "v"), ("GET", "k"), ("GET", "none")) == [b"OK", b"v", None]
    numbers = await asyncio.gather(*(line.ask(("ECHO", str(number))) for number in range(20)))
    assert numbers == [[str(number).encode()] for number in range(20)]
    with pytest.raises(NoScriptError):
        await line.ask(("EVALSHA", "0" * 40, 0))
    with pytest.raises(BusUnavailable):
        await line.ask(("LPUSH", "k", "v"), ("GET", "k"))
    assert await line.ask(("GET", "k")) == [b"v"]
    await line.close()


async def test_a_silent_server_is_away_in_time(own: RedisServer) -> None:
    """Promise: a server that is stopped, connected or not, hangs nobody; when it goes on, it is heard again."""
    line = line_to(own.url)
    await line.ask(("PING",))
    own.send(signal.SIGSTOP)
    for _ in range(2):
        begun_s = time.monotonic()
        with pytest.raises(BusUnavailable):
            await line.ask(("PING",))
        assert time.monotonic() - begun_s < 5
    own.send(signal.SIGCONT)
    assert await line.ask(("ECHO", "mine")) == [b"mine"]
    await line.close()


async def test_after_a_loss_nothing_leads_where_it_led(own: RedisServer) -> None:
    """Promise: a server that stood still may have been replaced meanwhile: no connection from before is used again."""
    line = line_to(own.url)
    await asyncio.gather(*(line.ask(("ECHO", str(number))) for number in range(4)))
    with own.client() as client:
        before = {each["id"] for each in client.client_list()}
    own.send(signal.SIGSTOP)
    with pytest.raises(BusUnavailable):
        await line.ask(("PING",))
    own.send(signal.SIGCONT)
    await asyncio.gather(*(line.ask(("ECHO", str(number))) for number in range(4)))
    with own.client() as client:
        until(lambda: not before & {each["id"] for each in client.client_list()}, "an old connection is still there")
    await line.close()


async def test_after_a_loss_nobody_tries_for_a_while(own: RedisServer) -> None:
    """Promise: while it is known to be away, a call is refused at once."""
    line = line_to(own.url, rest_s=3600)
    await line.ask(("PING",))
    own.stop(signal.SIGKILL)
    with pytest.raises(BusUnavailable):
        await line.ask(("PING",))
    own.start()
    with pytest.raises(BusUnavailable):
        await line.ask(("PING",))
    await line.try_once()
    assert await line.ask(("PING",)) == [b"PONG"]
    await line.close()


async def test_a_wrong_password_is_told_and_not_shown(own: RedisServer) -> None:
    """Promise: no password in any message, whichever way it is asked."""
    with own.client() as client:
        client.config_set("requirepass", "right")
    line, right = (line_to(f"unix://:{password}@{own.socket}") for password in (PASSWORD, "right"))
    with pytest.raises(AuthenticationError) as refused:
        await line.try_once()
    with pytest.raises(BusUnavailable) as away:
        await line.ask(("PING",))
    assert PASSWORD not in f"{refused.value!r} {away.value!r} {away.value.__cause__!r}"
    await right.try_once()
    await right.close()
    await line.close()


async def test_a_cancelled_call_leaves_no_answer_behind(server: RedisServer) -> None:
    """Promise: nobody hears the answer to another's question."""
    line = line_to(server.url, connections=1)
    await line.ask(("PING",))
    waiting = asyncio.ensure_future(line.ask(("BLPOP", "nothing", "0.2")))
    await asyncio.sleep(0.02)  # sleep: so that it was sent; sent or not, what follows holds
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await line.ask(("ECHO", "mine")) == [b"mine"]
    await line.close()
