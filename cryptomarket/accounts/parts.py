"""Everything of this room that an API process holds, built from plain values and the backplane."""

from collections.abc import Callable
from dataclasses import dataclass

from cryptomarket.accounts.keys import ApiKeys
from cryptomarket.accounts.login import DEFAULT_TIMEOUT_S, Login
from cryptomarket.accounts.person import RandomBytes
from cryptomarket.accounts.profiles import Profiles
from cryptomarket.accounts.repository import AccountsRepository
from cryptomarket.accounts.revocations import Revocations
from cryptomarket.accounts.stream_places import StreamPlaces
from cryptomarket.accounts.throttle import Throttle
from cryptomarket.accounts.tokens import Tokens
from cryptomarket.backplane.bus import Bus
from cryptomarket.backplane.cache import Cache
from cryptomarket.backplane.limiter import Limiter
from cryptomarket.backplane.mailroom import Mailroom
from cryptomarket.clock import Clock
from cryptomarket.db import Database
from cryptomarket.secret import Secret

_DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class AccountsValues:
    """The plain values of this room. Failures are counted over `failure_period_s`."""

    exchange: str
    token_key: Secret
    seal_secret: Secret
    token_life_s: int = _DAY_S
    failures_per_address: int = 20
    failures_per_client: int = 5
    failure_period_s: int = 300
    reread_s: float = 5.0
    streams_per_user: int = 1000
    streams_per_address: int = 10_000
    streams_per_process: int = 20_000
    login_timeout_s: float = DEFAULT_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class AccountsParts:
    """What access and the routes use. `on_seen` is told the user of each request that was let in."""

    exchange: str
    tokens: Tokens
    login: Login
    keys: ApiKeys
    revocations: Revocations
    profiles: Profiles
    throttle: Throttle
    places: StreamPlaces
    repository: AccountsRepository
    clock: Clock
    on_seen: Callable[[str], None]


def build_accounts(
    values: AccountsValues,
    *,
    database: Database,
    bus: Bus,
    cache: Cache,
    limiter: Limiter,
    mailroom: Mailroom,
    clock: Clock,
    random_bytes: RandomBytes,
    on_revoked: Callable[[str], None],
    on_seen: Callable[[str], None],
) -> AccountsParts:
    """Raises StartRefused for keys that protect nothing. `revocations.load()` comes before the first request."""
    repository = AccountsRepository(database)
    tokens = Tokens(
        key=values.token_key,
        exchange=values.exchange,
        life_s=values.token_life_s,
        new_id=lambda: random_bytes(16).hex(),
    )
    profiles = Profiles(cache, repository, now_ms=clock.wall_ms)
    revocations = Revocations(
        repository,
        bus,
        token_life_s=values.token_life_s,
        reread_s=values.reread_s,
        now_ms=clock.wall_ms,
        on_revoked=on_revoked,
    )
    throttle = Throttle(
        limiter,
        digest_key=values.seal_secret,
        per_address=values.failures_per_address,
        per_client=values.failures_per_client,
        period_s=values.failure_period_s,
    )
    login = Login(
        cache=cache,
        mailroom=mailroom,
        throttle=throttle,
        repository=repository,
        profiles=profiles,
        tokens=tokens,
        seal_secret=values.seal_secret,
        now_ms=clock.wall_ms,
        random_bytes=random_bytes,
        timeout_s=values.login_timeout_s,
    )
    return AccountsParts(
        exchange=values.exchange,
        tokens=tokens,
        login=login,
        keys=ApiKeys(repository, revocations, now_ms=clock.wall_ms, random_bytes=random_bytes),
        revocations=revocations,
        profiles=profiles,
        throttle=throttle,
        places=StreamPlaces(
            per_user=values.streams_per_user,
            per_address=values.streams_per_address,
            per_process=values.streams_per_process,
        ),
        repository=repository,
        clock=clock,
        on_seen=on_seen,
    )
