"""For load tests alone: many persons with tokens, straight into a database. Its command refuses outside of tests."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from cryptomarket.accounts.person import Person, RandomBytes, new_user_id
from cryptomarket.accounts.repository import AccountsRepository
from cryptomarket.accounts.tokens import Scope, Tokens

_BATCH = 1000
# Above every account number that the simulator or the exchange gives, so nobody real is ever met.
_FIRST_DERIBIT_ID = 10**15


@dataclass(frozen=True, slots=True)
class Minted:
    """A person who never logged in."""

    user_id: str
    access_token: str = field(repr=False)


async def mint(
    count: int,
    *,
    repository: AccountsRepository,
    tokens: Tokens,
    now_ms: int,
    random_bytes: RandomBytes,
) -> AsyncIterator[Minted]:
    """Stores `count` new persons in batches, and gives each with his token once he is stored."""
    next_id = max(_FIRST_DERIBIT_ID, await repository.highest_deribit_id(tokens.exchange) + 1)
    for start in range(0, count, _BATCH):
        numbers = range(next_id + start, next_id + min(start + _BATCH, count))
        persons = [_person(number, tokens.exchange, now_ms, random_bytes) for number in numbers]
        await repository.add_persons(persons)
        for person in persons:
            issued = tokens.issue(person.user_id, frozenset({Scope.PERSON}), now_s=now_ms / 1000)
            yield Minted(person.user_id, issued.access_token)


def _person(number: int, exchange: str, now_ms: int, random_bytes: RandomBytes) -> Person:
    name = f"minted-{number - _FIRST_DERIBIT_ID}"
    return Person(
        user_id=new_user_id(random_bytes),
        exchange=exchange,
        deribit_id=number,
        email=f"{name}@example.com",
        username=name,
        system_name=name,
        type="main",
        first_seen_ms=now_ms,
        last_seen_ms=now_ms,
    )
