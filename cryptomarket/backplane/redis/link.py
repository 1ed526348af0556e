"""The way to one Redis: connections with explicit timeouts, scripts, and what a lost server is called."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as LateAnswer

from cryptomarket.backplane.keys import Keys
from cryptomarket.errors import BusUnavailable

Value = bytes | str | int
Answer = bytes | int | list["Answer"] | None

FOLDER = Path(__file__).parent / "lua"
# What a server that is up says when it can't serve now (redis.io/docs/latest/develop/reference/protocol-spec).
AWAY = ("MISCONF", "NOREPLICAS", "MASTERDOWN", "BUSY", "LOADING")


class Script:
    """A script of the folder `lua`, begun by `order.lua`: it runs in whole or not at all, and knows its epoch."""

    def __init__(self, name: str) -> None:
        self.text = "\n".join((FOLDER / f"{part}.lua").read_text(encoding="utf-8") for part in ("order", name))
        # Redis names scripts by this digest; nothing is protected by it.
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class RedisLink:
    """What the parts of one process share. Connects at the first call, and anew after each loss.

    `new_epoch` names an epoch, should one begin. Nothing is retried here: a caller knows whether it may ask twice.
    Bound: `connections`; a call waits for a free one as long as for an answer.
    """

    def __init__(
        self,
        url: str,
        exchange: str,
        *,
        new_epoch: Callable[[], str],
        timeout_s: float = 5.0,
        connect_timeout_s: float = 2.0,
        connections: int = 64,
    ) -> None:
        self.keys = Keys(exchange)
        self.timeout_s = timeout_s
        self._new_epoch = new_epoch
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout_s,
            socket_connect_timeout=connect_timeout_s,
            health_check_interval=10,
        )
        self._client = Redis.from_pool(pool)

    async def ask(self, *command: Value) -> Answer:
        """Sends one command. Raises BusUnavailable when Redis can't be reached or can't serve now."""
        try:
            answer: Answer = await self._client.execute_command(*command)  # type: ignore[no-untyped-call]
        except (LostConnection, LateAnswer, OutOfMemoryError, ReadOnlyError, OSError) as lost:
            raise BusUnavailable(f"Redis is away: {lost}") from lost
        except ResponseError as refused:
            if str(refused).startswith(AWAY):
                raise BusUnavailable(f"Redis can't serve now: {refused}") from refused
            raise
        return answer

    async def run(self, script: Script, *values: Value) -> Answer:
        """Runs a script in one atomic step. Raises BusUnavailable."""
        tail: tuple[Value, ...] = (1, self.keys.order, self.keys.prefix, self._new_epoch(), *values)
        try:
            return await self.ask("EVALSHA", script.sha, *tail)
        except NoScriptError:
            return await self.ask("EVAL", script.text, *tail)

    async def close(self) -> None:
        """Closes every connection."""
        await self._client.aclose()


def as_bytes(answer: Answer) -> bytes:
    """A reply that is a string. Raises TypeError for any other."""
    if not isinstance(answer, bytes):
        raise TypeError(f"Redis answered {answer!r} where a string was due")
    return answer


def as_list(answer: Answer) -> list[Answer]:
    """A reply that is a list. Raises TypeError for any other."""
    if not isinstance(answer, list):
        raise TypeError(f"Redis answered {answer!r} where a list was due")
    return answer
