"""The door: the exchange is asked each time, its word decides, and the secret is nowhere afterwards."""

import asyncio
import gc
import io
import json
import traceback
from collections.abc import Awaitable, Callable, Iterator

import pytest

from __tests__.accounts.world import SEAL_SECRET, START_US, World
from __tests__.telemetry_kept import kept_logging
from cryptomarket.accounts.letters import BOX, one_time_key_name
from cryptomarket.accounts.login import check_pair
from cryptomarket.accounts.tokens import Scope
from cryptomarket.errors import (
    CryptomarketError,
    ExchangeFatal,
    ExchangeUnavailable,
    Forbidden,
    Malformed,
    TooMany,
    Unauthenticated,
)
from cryptomarket.secret import Secret
from cryptomarket.telemetry import configure_logging

CLIENT_ID = "demo-31337"
SECRET_TEXT = "demo-31337-secret"
WRONG_TEXT = "Zyx-wrong-wvu"
ADDRESS = "192.0.2.1"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    with kept_logging():
        stream = io.StringIO()
        configure_logging("DEBUG", "json", stream=stream)
        yield stream


async def test_who_logs_in_rightly_is_known_and_gets_a_token(world: World) -> None:
    """The person is stored at first sight, kept in the cache, and stays the same."""
    entry = await world.parts.login.enter(CLIENT_ID, Secret(SECRET_TEXT), address=ADDRESS)
    assert (entry.person.deribit_id, entry.person.email) == (41_337, "demo-31337@example.com")
    assert entry.person.first_seen_ms == START_US // 1000
    claims = world.parts.tokens.read(entry.token.access_token, now_s=world.hands.now_s)
    assert (claims.user_id, claims.scope) == (entry.person.user_id, frozenset({Scope.PERSON}))
    assert await world.parts.repository.person(entry.person.user_id) == entry.person
    assert await world.parts.profiles.get(entry.person.user_id) == entry.person
    again = await world.parts.login.enter(CLIENT_ID, Secret(SECRET_TEXT), address=ADDRESS)
    assert again.person.user_id == entry.person.user_id
    assert again.token.claims.jti != entry.token.claims.jti


async def test_a_cached_person_never_replaces_the_check(world: World) -> None:
    """A key that the exchange has withdrawn logs in no more, however well we know its owner."""
    await world.parts.login.enter(CLIENT_ID, Secret(SECRET_TEXT), address=ADDRESS)
    with pytest.raises(Unauthenticated):
        await world.parts.login.enter(CLIENT_ID, Secret(WRONG_TEXT), address=ADDRESS)
    world.exchange.trouble = ExchangeFatal(13004, "invalid_credentials")
    with pytest.raises(Unauthenticated):
        await world.parts.login.enter(CLIENT_ID, Secret(SECRET_TEXT), address=ADDRESS)
    assert world.exchange.asked == [CLIENT_ID] * 3


async def test_a_login_leaves_a_line_of_its_outcome(world: World, logged: io.StringIO) -> None:
    """Promise: who was let in, and why another was not; of the pair there is nothing in it."""
    entry = await world.parts.login.enter(CLIENT_ID, Secret(SECRET_TEXT), address=ADDRESS)
    with pytest.raises(Unauthenticated):
        await world.parts.login.enter(CLIENT_ID, Secret(WRONG_TEXT), address=ADDRESS)
    with pytest.raises(Malformed):
        await world.parts.login.enter("\x1b[31m", Secret(WRONG_TEXT), address=ADDRESS)
    lines = [line for line in map(json.loads, logged.getvalue().splitlines()) if line["event"] == "login"]
    assert [(line["outcome"], line.get("user_id")) for line in lines] == [
        ("let in", entry.person.user_id), ("Unauthenticated", None), ("Malformed", None),
    ]  # fmt: skip
    assert not any(text in logged.getvalue() for text in (CLIENT_ID, SECRET_TEXT, WRONG_TEXT, "[31m"))


async def test_wrong_secrets_are_slowed_and_not_passed_on(world: World) -> None:
    """Three failures of one id, and the fourth is not even asked of the exchange, right or wrong."""
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await world.parts.login.enter(CLIENT_ID, Secret(WRONG_TEXT), address=ADDRESS)
    with pytest.raises(TooMany) as refused:
        await world.parts.login.enter(CLIENT_ID, Secret(SECRET_TEXT), address=ADDRESS)
    assert refused.value.retry_after_s >= 1
    assert len(world.exchange.asked) == 3


async def test_an_exchange_out_of_reach_counts_as_no_failure(world: World) -> None:
    """503 however often, and then the right pair logs in."""
    world.exchange.trouble = ExchangeUnavailable("away", retry_after_s=3)
    for _ in range(5):
        with pytest.raises(ExchangeUnavailable) as away:
            await world.parts.login.enter(CLIENT_ID, Secret(SECRET_TEXT), address=ADDRESS)
        assert away.value.retry_after_s == 3
    world.exchange.trouble = None
    entry = await world.parts.login.enter(CLIENT_ID, Secret(SECRET_TEXT), address=ADDRESS)
    assert entry.person.username == CLIENT_ID


async def test_a_key_that_may_not_read_its_account_is_told_so(world: World) -> None:
    """403 with the exchange's code: the pair is right, its permissions are not."""
    world.exchange.trouble = ExchangeFatal(13021, "forbidden")
    with pytest.raises(Forbidden, match="13021"):
        await world.parts.login.enter(CLIENT_ID, Secret(SECRET_TEXT), address=ADDRESS)


async def test_nobody_to_answer_is_503_and_leaves_no_key_behind(world: World) -> None:
    """A full box or a missing ingest process: the asker may come back, and the letter can't be opened any more."""
    world.exchange.silent.clear()
    async with asyncio.TaskGroup() as together:
        waiting = [together.create_task(refused_by(lambda: enter(world))) for _ in range(70)]
    errors = [task.result() for task in waiting]
    assert {type(error) for error in errors} == {ExchangeUnavailable}
    assert await world.cache.keys("login-key:") == []


@pytest.mark.parametrize("forged", [b"", b"{}", b'{"outcome":"known","profile":{"deribit_id":1}}', b"\xff" * 200])
async def test_an_answer_that_is_not_sealed_is_not_believed(world: World, forged: bytes) -> None:
    """Whoever can write into Redis, but does not know SEAL_SECRET, can log in nobody."""

    async def ask(box: str, body: bytes, *, timeout_s: float) -> bytes:
        assert box == BOX
        return forged

    world.mailroom.ask = ask  # type: ignore[method-assign]  # the forger sits in the mailroom
    with pytest.raises(ExchangeUnavailable):
        await world.parts.login.enter(CLIENT_ID, Secret(SECRET_TEXT), address=ADDRESS)
    assert await world.cache.keys("person:") == []


@pytest.mark.parametrize(
    ("client_id", "secret", "field"),
    [
        ("", "s", "client_id"),
        ("i", "", "client_secret"),
        ("i\n", "s", "client_id"),
        ("i", "s\r\nX-Other: 1", "client_secret"),
        ("i", "s\x00", "client_secret"),
        ("i", "s\x7f", "client_secret"),
        ("i d", "s", "client_id"),
        ("ï", "s", "client_id"),
        ("i", "\u202e", "client_secret"),
        ("i" * 129, "s", "client_id"),
        ("i", "s" * 257, "client_secret"),
    ],
)
async def test_what_no_key_pair_can_be_is_not_passed_on(world: World, client_id: str, secret: str, field: str) -> None:
    """Control characters, blanks, other alphabets and oversize: refused at the door, and never shown back."""
    with pytest.raises(Malformed) as refused:
        await world.parts.login.enter(client_id, Secret(secret), address=ADDRESS)
    assert refused.value.field == field
    assert world.mailroom.passed == []
    assert len(secret) < 2 or secret not in str(refused.value)
    check_pair("i" * 128, Secret("s" * 256))


async def enter(world: World, secret: Secret | None = None) -> object:
    return await world.parts.login.enter(CLIENT_ID, secret or Secret(SECRET_TEXT), address=ADDRESS)


async def refused_by(attempt: Callable[[], Awaitable[object]]) -> CryptomarketError:
    try:
        await attempt()
    except CryptomarketError as error:
        return error
    raise AssertionError("it was not refused")


def told(error: BaseException) -> str:
    """Everything that an error could show, with the local variables of every frame."""
    pages = [str(error), repr(error), repr(error.args), repr(vars(error))]
    pages += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    return "\n".join(pages)


async def test_the_secret_is_nowhere_after_a_login(world: World, logged: io.StringIO) -> None:
    """Not in the cache, the mailroom, the database's files or the log at DEBUG; nor is the client id in clear."""
    await world.parts.login.enter(CLIENT_ID, Secret(SECRET_TEXT), address=ADDRESS)
    headers = {"X-Client-Id": CLIENT_ID, "X-Secret-key": SECRET_TEXT}
    assert (await world.http.get("/stream", headers=headers)).status_code == 200
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET_TEXT}
    assert (await world.http.post("/api/v2/auth/token", data=form)).status_code == 200
    assert (await world.http.post("/api/v2/auth/token", json=form)).status_code == 200
    await world.parts.profiles.flush()

    assert len(world.mailroom.passed) == 8
    files = b"".join(path.read_bytes() for path in world.database_path.parent.glob("accounts.sqlite3*"))
    assert b"demo-31337@example.com" in files
    carried = b"".join([*world.cache.written, *world.mailroom.passed, files])
    for text in (SECRET_TEXT, SEAL_SECRET):
        assert text.encode() not in carried
        assert text not in logged.getvalue()
    assert CLIENT_ID.encode() not in b"".join(world.mailroom.passed)
    assert await world.cache.keys("login-key:") == []


@pytest.mark.parametrize(
    "trouble",
    [
        None,
        ExchangeFatal(13004, "invalid_credentials"),
        ExchangeFatal(13021, "forbidden"),
        ExchangeUnavailable("away"),
    ],
)
async def test_a_refused_login_shows_the_secret_in_no_error(world: World, trouble: CryptomarketError | None) -> None:
    """Not in the text, the attributes, the chain, nor in a traceback that prints the locals of every frame."""
    world.exchange.trouble = trouble
    wrong = Secret(WRONG_TEXT)
    error = await refused_by(lambda: enter(world, wrong))
    assert WRONG_TEXT not in told(error)
    assert SEAL_SECRET not in told(error)
    assert "Secret(***)" in told(error)


async def test_a_malformed_secret_shows_in_no_error(world: World) -> None:
    """The one error that is raised while looking at the secret itself."""
    broken = Secret(f"{WRONG_TEXT}\n")
    assert WRONG_TEXT not in told(await refused_by(lambda: enter(world, broken)))


async def test_no_object_of_the_login_outlives_it(world: World) -> None:
    """The embedded process holds the pair no longer than the login takes."""
    secret = Secret("demo-7-secret")
    before = sum(isinstance(thing, Secret) for thing in gc.get_objects())
    assert before > 0
    await world.parts.login.enter("demo-7", secret, address=ADDRESS)
    gc.collect()
    assert sum(isinstance(thing, Secret) for thing in gc.get_objects()) <= before
    assert one_time_key_name("x") not in await world.cache.keys("login-key:")
