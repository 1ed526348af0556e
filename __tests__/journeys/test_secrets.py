"""Where a login's secret is afterwards: nowhere. Not in logs, files, answers, nor in what processes would share."""

import asyncio
import base64
import json
import secrets
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx

from __tests__.journeys.commands import command
from __tests__.journeys.gateway import Gateway
from __tests__.journeys.house import house, living, texts_within
from __tests__.journeys.light import LightReader, lightly_reading, request_of
from __tests__.journeys.witness import comes_true, scene
from cryptomarket.accounts.letters import BOX, KEY_LIFE_S, one_time_key_name
from cryptomarket.backplane.memory import MemoryBus, MemoryCache, MemoryDemand, MemoryLimiter, MemoryMailroom
from cryptomarket.simulator.faults import Fault

Kind = TypeVar("Kind")

TOKEN_PATH = "/api/v2/auth/token"
STREAM_PATH = "/api/v2/sse/connection"
BACKPLANE = (MemoryBus, MemoryCache, MemoryDemand, MemoryLimiter, MemoryMailroom)


def unusual_account() -> tuple[str, str]:
    """A pair that the simulator knows, and whose text is found nowhere else."""
    number = 10**11 + secrets.randbelow(10**11)
    return f"demo-{number}", f"demo-{number}-secret"


def basic(client_id: str, secret: str) -> dict[str, str]:
    """HTTP Basic (RFC 7617)."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def shapes_of(client_id: str, secret: str) -> list[bytes]:
    """The secret as it might lie about: plain, quoted for a URL, and in what Basic makes of it."""
    plain = secret.encode()
    quoted = urllib.parse.quote(secret, safe="").encode()
    # Base64 of the pair, and of the secret at each of the three places at which it can begin.
    encoded = [base64.b64encode(f"{client_id}:{secret}".encode())]
    encoded += [base64.b64encode(b"." * shift + plain)[4 * (shift > 0) : -4] for shift in range(3)]
    return [plain, quoted, plain.hex().encode(), *encoded]


def files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below the folder, the log, the database and its companions among them."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.name, path.read_bytes()


def check_nowhere(places: Iterable[tuple[str, bytes]], *shapes: bytes) -> None:
    """None of the shapes is in any of the places."""
    for name, content in places:
        for shape in shapes:
            assert shape not in content, f"{shape!r} is in {name}"


async def present(gate: Gateway, client_id: str, secret: str) -> list[httpx.Response]:
    """Presents the pair in every way there is; the answers to those that end."""
    pair = {"client_id": client_id, "client_secret": secret}
    grant = {"grant_type": "client_credentials"}
    async with gate.client() as client:
        return [
            await client.post(TOKEN_PATH, data=grant | pair),
            await client.post(TOKEN_PATH, json=grant | pair),
            await client.post(TOKEN_PATH, data=grant, headers=basic(client_id, secret)),
            await client.get(
                STREAM_PATH,
                params={"tickers": "no_such_ticker"},
                headers={"X-Client-Id": client_id, "X-Secret-key": secret},
            ),
        ]


async def present_badly(gate: Gateway, client_id: str, secret: str) -> list[httpx.Response]:
    """The same secret where it does not belong, so that something complains about it."""
    pair = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    half_json = json.dumps(pair)[:-1].encode()
    as_json, as_form = {"Content-Type": "application/json"}, {"Content-Type": "application/x-www-form-urlencoded"}
    headers = {"X-Client-Id": client_id, "X-Secret-key": secret}
    async with gate.client() as client:
        return [
            await client.post(TOKEN_PATH, params=pair),
            await client.post(TOKEN_PATH, content=half_json, headers=as_json),
            await client.post(TOKEN_PATH, json=pair | {"client_secret": [secret]}),
            await client.post(TOKEN_PATH, json=pair | {"client_secret": secret * 40}),
            await client.post(TOKEN_PATH, json=pair | {"client_secret": secret + "\n"}),
            await client.post(TOKEN_PATH, json=pair | {"grant_type": secret}),
            await client.post(TOKEN_PATH, data=pair, headers=basic(client_id, secret)),
            await client.post(TOKEN_PATH, content=b"client_secret=" + secret.encode() + b"&" * 30, headers=as_form),
            await client.post(TOKEN_PATH, content=secret.encode(), headers={"Content-Type": "text/plain"}),
            await client.post(TOKEN_PATH, content=secret.encode() * 9000, headers=as_form),
            await client.get("/api/v2/me", headers={"Authorization": f"Bearer {secret}"}),
            await client.get("/api/v2/me", headers={"Cookie": f"cryptomarket_token={secret}"}),
            await client.get(STREAM_PATH, headers={"X-Secret-key": secret}),
            await client.get(STREAM_PATH, headers=headers | {"X-User-id": "somebody"}, params={"tickers": "btc_usd"}),
            await client.get(STREAM_PATH, headers=headers, params={"tickers": "btc_usd", "mode": "none"}),
            await client.post(TOKEN_PATH, json={"grant_type": "api_key", "api_key": secret}),
        ]


async def test_a_secret_is_found_nowhere_afterwards(tmp_path: Path) -> None:
    """Promise: logins in every way, right, wrong and malformed, leave the secret in no log line at DEBUG, no file of
    the gateway (database, WAL, keys) and no answer; neither are access tokens and API keys in any log line or file.
    """
    right, wrong = unusual_account(), (unusual_account()[0], f"wrong-{secrets.token_hex(16)}")
    own = unusual_account()
    given = {
        "deribit_client_id": own[0],
        "deribit_client_secret": own[1],
        "seal_secret": f"seal-{secrets.token_hex(16)}",
        "token_key": f"token-{secrets.token_hex(16)}",
        "login_failures": "1000",
        "login_failures_per_address": "1000",
    }
    async with scene(tmp_path, given) as running:
        gate = running.gate
        good = await present(gate, *right)
        assert [answer.status_code for answer in good] == [200, 200, 200, 404]
        tokens = [answer.json()["access_token"] for answer in good[:3]]
        bad = await present(gate, *wrong)
        assert [answer.status_code for answer in bad] == [401, 401, 401, 401]
        ugly = await present_badly(gate, *right)
        assert all(400 <= answer.status_code < 500 for answer in ugly)
        running.simulator.add_faults(Fault(kind="refuse", methods=("private/get_account_summary",), code=13009))
        away = await present(gate, *right)
        running.simulator.clear_faults()
        assert [answer.status_code for answer in away] == [503, 503, 503, 503]
        headers = {"X-Client-Id": right[0], "X-Secret-key": right[1]}
        connected = await told_on_connecting(gate, headers)
        async with lightly_reading(gate, connected["access_token"], tickers="btc_usd") as reader:
            await reader.until_told("message")
        key = (await command(gate, "keys", "create", "secrets")).split()[-1]
        async with gate.client() as client:
            answer = await client.post(TOKEN_PATH, json={"grant_type": "api_key", "api_key": key})
            assert answer.status_code == 200
            tokens += [connected["access_token"], answer.json()["access_token"]]
            assert (
                await client.post("/api/v2/auth/revoke", headers={"Authorization": f"Bearer {tokens[0]}"})
            ).is_success
        shapes = [*shapes_of(*right), wrong[1].encode(), own[1].encode(), key.encode()]
        shapes += [given[name].encode() for name in ("seal_secret", "token_key")]
        answers = [*good, *bad, *ugly, *away]
        check_nowhere([(str(answer.url), answer.content) for answer in answers], *shapes)
        check_nowhere([(str(answer.url), str(answer.headers.multi_items()).encode()) for answer in answers], *shapes)
        check_nowhere(files_of(tmp_path), *shapes, *(token.encode() for token in tokens))
        checked = await command(gate, "config", "check")
        check_nowhere([("config check", checked.encode())], *shapes)
    check_nowhere(files_of(tmp_path), *shapes, *(token.encode() for token in tokens))
    names = {name for name, _ in files_of(tmp_path)}
    assert {"gateway.log", "simulator-testing.sqlite3"} <= names


async def told_on_connecting(gate: Gateway, headers: dict[str, str]) -> Any:  # noqa: ANN401  # what JSON may be
    """What `connected` says to one who came with a key pair."""
    reader = LightReader(request_of(gate, headers, {"tickers": "btc_usd"}))
    host, port = gate.url.removeprefix("http://").split(":")
    await asyncio.get_running_loop().create_connection(lambda: reader, host, int(port))
    await reader.until_told("connected")
    reader.leave()
    return reader.named("connected")[0].data


class Shared:
    """What the processes of a scaled gateway would share: the parts that came to life after this was made."""

    def __init__(self) -> None:
        # Held, so that no part of ours is taken for one of them by its address.
        self._others = [part for kind in BACKPLANE for part in living(kind)]

    def _own(self, kind: type[Kind]) -> Kind:
        (own,) = (part for part in living(kind) if all(part is not other for other in self._others))
        return own

    def text(self) -> str:
        """Everything in it, as one text."""
        return "\n".join(texts_within(*(self._own(kind) for kind in BACKPLANE)))

    async def waiting_keys(self) -> int:
        """How many one-time keys are in the cache."""
        return len(await self._own(MemoryCache).keys(one_time_key_name("")))


async def present_by_form(client: httpx.AsyncClient, client_id: str, secret: str) -> httpx.Response:
    """Presents the pair in the standard's way (RFC 6749, 4.4)."""
    pair = {"client_id": client_id, "client_secret": secret}
    return await client.post(TOKEN_PATH, data={"grant_type": "client_credentials", **pair})


async def test_the_backplane_never_has_it(tmp_path: Path) -> None:
    """Promise: neither while logins wait, nor while they are asked for, nor afterwards is the secret, or meanwhile the
    client id, in clear in what processes share; a one-time key is gone once read, or when nobody waits any more.
    """
    shared = Shared()
    people = [unusual_account() for _ in range(6)]
    async with house(tmp_path, login_timeout_s=3, login_slots=2) as home:
        journal = home.simulator.exchange.journal
        home.simulator.add_faults(Fault(kind="mute", methods=("public/auth",)))
        async with home.gate.client() as client, asyncio.TaskGroup() as group:
            asking = [group.create_task(present_by_form(client, *pair)) for pair in people]

            async def two_are_asked_for() -> bool:
                return await shared.waiting_keys() == len(people) - 2

            await comes_true(two_are_asked_for)
            now = shared.text()
            assert BOX in now
            assert now.count('"sealed"') == len(people) - 2, "this was to be looked at while letters wait"
            for name, secret in people:
                assert secret not in now
                assert name not in now
        answers = [asked.result() for asked in asking]
        assert {answer.status_code for answer in answers} == {503}
        assert await shared.waiting_keys() == 0
        home.simulator.clear_faults()
        token_of = {}
        for name, secret in people:
            async with home.gate.client() as client:
                answer = await present_by_form(client, name, secret)
            assert answer.status_code == 200, answer.text
            token_of[name] = answer.json()["access_token"]
        assert await shared.waiting_keys() == 0
        after = shared.text()
        for name, secret in people:
            assert secret not in after
            assert token_of[name] not in after
        assert journal.logins >= len(people)


async def test_a_one_time_key_is_read_once_and_lives_fifteen_seconds() -> None:
    """Promise: whoever comes second, or late, finds no key."""
    now_s = 1000.0
    cache = MemoryCache(lambda: now_s)
    assert KEY_LIFE_S == 15
    await cache.put(one_time_key_name("a"), b"key", life_s=KEY_LIFE_S)
    assert await cache.take(one_time_key_name("a")) == b"key"
    assert await cache.take(one_time_key_name("a")) is None
    await cache.put(one_time_key_name("b"), b"key", life_s=KEY_LIFE_S)
    now_s += KEY_LIFE_S
    assert await cache.take(one_time_key_name("b")) is None
    assert "key" not in list(texts_within(cache))
