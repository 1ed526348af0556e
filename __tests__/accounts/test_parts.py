"""The room is built from plain values, and refuses what protects nothing."""

from dataclasses import replace

import pytest

from __tests__.accounts.world import SEAL_SECRET, TOKEN_KEY, World, values
from cryptomarket.accounts.parts import AccountsValues, build_accounts
from cryptomarket.errors import StartRefused, TooMany
from cryptomarket.secret import Secret


def test_the_values_hide_their_keys_and_have_the_contracts_limits() -> None:
    """1000 streams a user unless said otherwise; neither key is shown."""
    shown = repr(values())
    assert TOKEN_KEY not in shown
    assert SEAL_SECRET not in shown
    assert AccountsValues("simulator", Secret(TOKEN_KEY), Secret(SEAL_SECRET)).streams_per_user == 1000


async def test_what_is_built_works_together(world: World) -> None:
    """Tokens, revocations and places of one set of parts belong to the exchange and limits they were given."""
    assert world.parts.tokens.exchange == world.parts.exchange == "simulator"
    for _ in range(2):
        world.parts.places.take("u_1", "a")
    with pytest.raises(TooMany):
        world.parts.places.take("u_1", "a")


async def test_a_key_that_protects_nothing_is_refused_at_the_start(world: World) -> None:
    """A process with a short TOKEN_KEY does not start."""
    with pytest.raises(StartRefused):
        build_accounts(
            replace(values(), token_key=Secret("short")),
            database=world.database,
            bus=world.bus,
            cache=world.cache,
            limiter=world.limiter,
            mailroom=world.mailroom,
            clock=world.hands.clock(),
            random_bytes=bytes,
            on_revoked=world.revoked.append,
            on_seen=world.seen.append,
        )
