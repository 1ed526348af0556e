"""Where the session lives: a letter opens once, in time, with all its keys, or nothing happens at all."""

import asyncio
import random

import msgspec
import pytest

from __tests__.accounts.world import SEAL_SECRET, Exchange, Hands, eventually, posted, running
from cryptomarket.accounts.letters import BOX, KEY_LIFE_S, LoginAnswer, LoginLetter, Outcome, one_time_key_name
from cryptomarket.accounts.opening import UNOPENED, Opening
from cryptomarket.accounts.person import Profile
from cryptomarket.accounts.seal import Seal
from cryptomarket.backplane.memory import MemoryCache, MemoryMailroom
from cryptomarket.errors import (
    BusUnavailable,
    CryptomarketError,
    ExchangeFatal,
    ExchangeRetryable,
    ExchangeUnavailable,
)
from cryptomarket.secret import Sealed, Secret


class Place:
    """A process that owns the exchange session, and what a door needs to write to it."""

    def __init__(self, *, at_once: int = 2) -> None:
        self.hands = Hands()
        self.cache = MemoryCache(lambda: self.hands.now_s)
        self.mailroom = MemoryMailroom()
        self.exchange = Exchange()
        self.opening = Opening(
            cache=self.cache,
            mailroom=self.mailroom,
            identifier=self.exchange,
            seal_secret=Secret(SEAL_SECRET),
            now_ms=self.hands.clock().wall_ms,
            at_once=at_once,
            timeout_s=0.2,
        )

    async def write(self, login_id: str = "login-1", client_id: str = "demo-1") -> tuple[Seal, bytes]:
        """A letter as the door writes it, with its key in the cache."""
        one_time_key = random.Random(login_id).randbytes(32)
        seal = Seal(one_time_key=one_time_key, seal_secret=Secret(SEAL_SECRET), login_id=login_id)
        sealed = seal.close_pair(client_id, Secret(f"{client_id}-secret"), now_s=int(self.hands.now_s))
        await self.cache.put(one_time_key_name(login_id), one_time_key, life_s=KEY_LIFE_S)
        return seal, msgspec.json.encode(LoginLetter(login_id, sealed.token.decode()))

    async def answer(self) -> LoginAnswer:
        seal, body = await self.write()
        return read(seal, await self.opening.open(posted(body)))


def read(seal: Seal, body: bytes) -> LoginAnswer:
    return msgspec.json.decode(seal.open_answer(Sealed(body)), type=LoginAnswer)


async def test_the_person_is_answered_sealed() -> None:
    """The door learns who it is; whoever reads the mailroom doesn't."""
    place = Place()
    seal, body = await place.write()
    answer = await place.opening.open(posted(body))
    assert read(seal, answer) == LoginAnswer(
        Outcome.KNOWN, profile=Profile(10_001, "demo-1@example.com", "demo-1", "system-demo-1", "main")
    )
    assert b"demo" not in answer


async def test_the_one_time_key_is_gone_after_one_reading() -> None:
    """A letter that is read a second time, by whomever, opens nothing and asks nobody."""
    place = Place()
    _, body = await place.write()
    await place.opening.open(posted(body))
    assert await place.opening.open(posted(body)) == UNOPENED
    assert place.exchange.asked == ["demo-1"]


@pytest.mark.parametrize(("waited_s", "opens"), [(14.9, True), (15.0, False)])
async def test_the_one_time_key_is_gone_after_fifteen_seconds(waited_s: float, opens: bool) -> None:
    """A letter that lay too long stays closed; the exchange is not asked."""
    place = Place()
    _, body = await place.write()
    place.hands.forward(waited_s)
    assert (await place.opening.open(posted(body)) != UNOPENED) is opens
    assert bool(place.exchange.asked) is opens


async def test_what_does_not_open_asks_nobody() -> None:
    """Another login's letter, a changed one, rubbish: no answer that could be taken for one, and no crash."""
    place = Place()
    await place.write("login-2")
    _, body = await place.write("login-1")
    letter = msgspec.json.decode(body, type=LoginLetter)
    for wrong in (
        msgspec.json.encode(LoginLetter("login-2", letter.sealed)),
        msgspec.json.encode(LoginLetter("login-1", letter.sealed[:-9] + "AAAAAAAA=")),
        msgspec.json.encode(LoginLetter("login-3", letter.sealed)),
        msgspec.json.encode({"login_id": 1}),
        b"\xff",
        b"",
    ):
        assert await place.opening.open(posted(wrong)) == UNOPENED
    assert place.exchange.asked == []


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        (ExchangeFatal(13004, "invalid_credentials"), Outcome.WRONG_PAIR),
        (ExchangeFatal(-32602, "Invalid params"), Outcome.WRONG_PAIR),
        (ExchangeFatal(13021, "forbidden"), Outcome.NOT_ALLOWED),
        (ExchangeFatal(11098, "account_locked"), Outcome.NOT_ALLOWED),
        (ExchangeRetryable(10028, "too_many_requests"), Outcome.UNAVAILABLE),
        (ExchangeUnavailable("away", retry_after_s=7), Outcome.UNAVAILABLE),
        (CryptomarketError("anything else"), Outcome.UNAVAILABLE),
    ],
)
async def test_each_refusal_of_the_exchange_is_told_apart(trouble: CryptomarketError, outcome: Outcome) -> None:
    """401, 403 or 503: what the asker should do next differs. None of them is a login, and each was one attempt."""
    place = Place()
    place.exchange.trouble = trouble
    answer = await place.answer()
    assert (answer.outcome, answer.profile) == (outcome, None)
    assert place.exchange.asked == ["demo-1"]
    if isinstance(trouble, ExchangeUnavailable):
        assert answer.retry_after_s == 7


async def test_a_silent_exchange_is_not_waited_for_longer_than_the_deadline() -> None:
    """The slot's login ends with a typed answer, and the next letter is served."""
    place = Place()
    place.exchange.silent.clear()
    assert (await place.answer()).outcome is Outcome.UNAVAILABLE
    place.exchange.silent.set()
    assert (await place.answer()).outcome is Outcome.KNOWN


async def test_no_more_logins_at_once_than_there_are_slots() -> None:
    """The others wait in the box; all are answered in the end."""
    place = Place(at_once=2)
    place.opening = Opening(
        cache=place.cache,
        mailroom=place.mailroom,
        identifier=place.exchange,
        seal_secret=Secret(SEAL_SECRET),
        now_ms=place.hands.clock().wall_ms,
        at_once=2,
    )
    place.exchange.silent.clear()
    written = [await place.write(f"login-{number}") for number in range(5)]
    async with running(place.opening.run()), asyncio.TaskGroup() as together:
        asked = [together.create_task(place.mailroom.ask(BOX, body, timeout_s=5)) for _, body in written]
        await eventually(lambda: len(place.exchange.asked) == 2)
        await eventually_quiet()
        assert len(place.exchange.asked) == 2
        place.exchange.silent.set()
        answers = await asyncio.gather(*asked)
    assert [read(seal, body).outcome for (seal, _), body in zip(written, answers, strict=True)] == [Outcome.KNOWN] * 5


async def eventually_quiet() -> None:
    """Twenty turns for everybody who could still do something."""
    for _ in range(20):
        # sleep: a turn of the loop
        await asyncio.sleep(0)


async def test_it_goes_on_after_the_backplane_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """One failed reading of the cache loses one login, not all that follow."""

    class StumblingCache(MemoryCache):
        stumbles = 1

        async def take(self, key: str) -> bytes | None:
            if self.stumbles:
                self.stumbles -= 1
                raise BusUnavailable("away")
            return await super().take(key)

    monkeypatch.setattr("cryptomarket.backplane.mailroom.RETRY_S", 0.0)
    place = Place(at_once=1)
    cache = StumblingCache(lambda: place.hands.now_s)
    place.cache = cache
    place.opening = Opening(
        cache=cache,
        mailroom=place.mailroom,
        identifier=place.exchange,
        seal_secret=Secret(SEAL_SECRET),
        now_ms=place.hands.clock().wall_ms,
        at_once=1,
    )
    async with running(place.opening.run()):
        _, lost = await place.write("login-1")
        asking = asyncio.ensure_future(place.mailroom.ask(BOX, lost, timeout_s=5))
        await eventually(lambda: cache.stumbles == 0)
        seal, body = await place.write("login-2")
        answer = await place.mailroom.ask(BOX, body, timeout_s=5)
        asking.cancel()
    assert read(seal, answer).outcome is Outcome.KNOWN
