"""Where Redis is: one server, or whichever a Sentinel names."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio import ConnectionPool, Sentinel
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, ResponseError

from cryptomarket.errors import StartRefused

SENTINEL_PORT = 26379
_DATABASE = re.compile(r"/?|/[0-9]+")
# Files that TLS is checked with (redis.readthedocs.io, "SSL Connection Examples").
_CERTIFICATES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_PLAIN = ("redis", "rediss", "unix")
_SENTINEL = ("redis+sentinel", "rediss+sentinel")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for an answer, and for a connection; how often to look whether a server is still the right one;
    for how long to leave one alone that was behind.
    """

    timeout_s: float = 5.0
    connect_timeout_s: float = 2.0
    look_s: float = 1.0
    replica_rest_s: float = 10.0


def pool_of(url: str, patience: Patience, *, connections: int, replica: bool = False) -> ConnectionPool:
    """Connections to the server at `url`. Nothing is connected yet. Raises StartRefused for a URL that can't be.

    `redis://`, `rediss://` and `unix://` as in redis-py; or
    `redis+sentinel://[user:password@]host[:port][,host[:port]…]/<name>[/<database>]`, where the hosts are Sentinels
    (port 26379 unless said), `<name>` is what they call the primary, and user and password are the servers' own. There
    `replica` asks for one of the primary's replicas, and for the primary itself where there is none.
    """
    try:
        parts = urlsplit(url)
        _check_options(parts)
        if parts.scheme in _SENTINEL:
            return _watched(parts, patience, connections=connections, replica=replica)
        if parts.scheme in _PLAIN:
            _check_database(parts)
            return ConnectionPool.from_url(url, max_connections=connections, **_options(patience))
    except ValueError:
        # What was wrong may quote the URL, and the URL may carry a password.
        raise StartRefused("The URL of Redis can't be read.") from None
    raise StartRefused(f"The URL of Redis begins with one of {', '.join(_PLAIN + _SENTINEL)}.")


def _check_options(parts: SplitResult) -> None:
    # redis-py would take them for arguments of its own, and what it does not know for a mistake of the program.
    allowed = {"unix": ("db",), "rediss": _CERTIFICATES}.get(parts.scheme, ())
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in allowed or not value or (name == "db" and not value.isdecimal()):
            raise StartRefused(
                f"The URL of Redis has no {name[:64]!r}; behind the ? it may say, for a socket, db: the number of the "
                f"database; and for rediss:// {', '.join(_CERTIFICATES)}."
            )


def _check_database(parts: SplitResult) -> None:
    # redis-py passes over what it can't read, and takes database 0.
    if parts.scheme != "unix" and not _DATABASE.fullmatch(parts.path):
        raise StartRefused("The URL of Redis names its database by a number: redis://host:6379/0")


def _options(patience: Patience, *, timeout_s: float | None = None) -> dict[str, object]:
    return {
        # None where whoever asks watches the time: up to Python 3.11, `asyncio.wait_for`, with which redis-py would
        # send, may swallow a cancellation (github.com/python/cpython/issues/86296).
        "socket_timeout": timeout_s,
        "socket_connect_timeout": patience.connect_timeout_s,
        # Nothing is repeated here: a caller knows whether it may ask twice.
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "protocol": 2,
    }


class WatchedPool(SentinelConnectionPool):
    """Connections to whom a Sentinel names. `master_address` is whom it named last.

    redis-py closes what is idle when that changes, and may so meet a connection that somebody has just taken. Here,
    whoever takes one looks where it leads.
    """

    async def get_master_address(self) -> tuple[str, int]:
        """Asks the Sentinels. Raises MasterNotFoundError of redis-py, with a sentence in place of its collection."""
        try:
            named: tuple[str, int] = await self.sentinel_manager.discover_master(self.service_name)
        except (MasterNotFoundError, ResponseError) as unnamed:
            # Who answers otherwise is no Sentinel. Of each answer redis-py keeps only how it is written.
            locked = "; one wants a password, and has none to be given: what the URL has is for the servers"
            why = locked if AuthenticationError.__name__ in str(unnamed) else ""
            raise MasterNotFoundError(f"No Sentinel names a primary called {self.service_name!r}{why}.") from unnamed
        self.master_address = named
        return named


def _watched(parts: SplitResult, patience: Patience, *, connections: int, replica: bool) -> WatchedPool:
    login, _, hosts = parts.netloc.rpartition("@")
    username, _, password = login.partition(":")
    name, _, database = parts.path.strip("/").partition("/")
    if not name or not hosts:
        raise StartRefused("The URL of a Sentinel names its hosts and, as path, what it calls the primary.")
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        [_host(host) for host in hosts.split(",")],
        # One that says nothing must leave time to ask the next.
        sentinel_kwargs=_options(patience, timeout_s=patience.connect_timeout_s),
    )
    return WatchedPool(  # type: ignore[no-untyped-call]
        unquote(name),
        sentinel,
        is_master=not replica,
        ssl=parts.scheme.startswith("rediss"),
        max_connections=connections,
        username=unquote(username) or None,
        password=unquote(password) or None,
        db=int(database or 0),
        **_options(patience),
    )


def _host(text: str) -> tuple[str, int]:
    found = urlsplit(f"//{text}")
    if not found.hostname:
        raise ValueError("a host is empty")
    return found.hostname, found.port or SENTINEL_PORT
