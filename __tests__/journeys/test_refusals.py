"""What is wrong is told by a status, a sentence and the id of the request; and a wrong request changes nothing."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from __tests__.journeys.contract import PROBLEM, Contract, contract_of, watched
from __tests__.journeys.gateway import Gateway, Json, gateway, reading
from cryptomarket.accounts.access import COOKIE
from cryptomarket.accounts.tokens import Scope, Tokens
from cryptomarket.secret import Secret

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN_KEY = "an-example-of-a-key-that-signs-tokens-0001"
STREAM = "/api/v2/sse/connection"
TOKEN = "/api/v2/auth/token"
ELSEWHERE = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
LONG = "x" * 70_000
TOO_MANY = ",".join(f"BTC-PERPETUAL-{number}" for number in range(201))


@dataclass(frozen=True)
class Stage:
    """A gateway with a user whose saved set is btc_usd, another user, an operator, and tokens that do not count."""

    gate: Gateway
    contract: Contract
    user_id: str
    other_id: str
    tokens: Mapping[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One gateway for all that is wrong."""
    settings = {"token_key": TOKEN_KEY, "login_failures_per_address": "1000"}
    async with gateway(tmp_path_factory.mktemp("refusals"), **settings) as gate:
        contract = await contract_of(gate)
        (token, user_id), (other_token, other_id) = await gate.login(1), await gate.login(2)
        revoked, _ = await gate.login(1)
        async with watched(gate, contract) as client:
            said = await client.post("/api/v2/auth/revoke", headers={"Authorization": f"Bearer {revoked}"})
            assert said.status_code == 200
            for bearer in (token, other_token):
                said = await client.put("/api/v2/subscriptions/btc_usd", headers={"Authorization": f"Bearer {bearer}"})
                assert said.status_code == 201
        tokens = {
            "own": token,
            "other": other_token,
            "operator": await gate.operator(),
            "revoked": revoked,
            "expired": forged(user_id, now_s=time.time() - 100_000),
            "of another exchange": forged(user_id, exchange="production"),
            "signed by another": forged(user_id, key=TOKEN_KEY[::-1]),
            "garbage": "garbage",
        }
        yield Stage(gate, contract, user_id, other_id, tokens)


def forged(user_id: str, *, key: str = TOKEN_KEY, exchange: str = "simulator", now_s: float | None = None) -> str:
    """A token that looks like ours."""
    tokens = Tokens(key=Secret(key), exchange=exchange, life_s=86_400, new_id=lambda: "a-token")
    return tokens.issue(user_id, frozenset({Scope.PERSON}), now_s=now_s or time.time()).access_token


@dataclass(frozen=True)
class Wrong:
    """A request that is refused. `{user}` and `{other}` in its path are user ids."""

    status: int
    method: str
    path: str
    says: str = ""
    token: str | None = "own"
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str | bytes] = field(default_factory=dict)
    body: str | None = None
    cookie: bool = False

    @property
    def name(self) -> str:
        """How the test is called."""
        query = "&".join(f"{name}={value[:20]}" for name, value in self.params.items())
        more = " ".join(str(part)[:30] for part in (query, self.token, self.body, *self.headers.values()) if part)
        return f"{self.method} {self.path} {more} {self.status}"


def pair_in_headers(client_id: str | bytes, secret: str | bytes) -> dict[str, str | bytes]:
    """How the stream is asked for with a key pair."""
    return {"X-Client-Id": client_id, "X-Secret-key": secret}


OTHER_USER = {"X-User-id": "{other}"}
PAIR = "grant_type=client_credentials&client_id=demo-5"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
V1 = "/api/v1/market/{user}"
WRONG = [
    # The stream: before it opens, with a real status.
    Wrong(404, "GET", STREAM, "Did you mean btc_usd", params={"tickers": "eth_usd,btc_usdd"}),
    Wrong(404, "GET", STREAM, "no ticker", params={"tickers": "\x00\x1b[31m"}),
    Wrong(400, "GET", STREAM, "tickers", params={"tickers": "btc_usd,,eth_usd"}),
    Wrong(400, "GET", STREAM, "tickers", params={"tickers": ""}),
    Wrong(422, "GET", STREAM, "200 tickers", params={"tickers": TOO_MANY}),
    Wrong(400, "GET", STREAM, "timer", params={"timer": "x"}),
    Wrong(422, "GET", STREAM, "timer", params={"timer": "0"}),
    Wrong(422, "GET", STREAM, "timer", params={"timer": "3601"}),
    Wrong(422, "GET", STREAM, "timer", params={"timer": "nan"}),
    Wrong(422, "GET", STREAM, "mode", params={"mode": "x"}),
    Wrong(422, "GET", STREAM, "lifetime", params={"lifetime": "0.5"}),
    Wrong(422, "GET", STREAM, "at most 3600 seconds", params={"lifetime": "3601"}),
    Wrong(422, "GET", STREAM, "lifetime", params={"lifetime": "inf"}),
    Wrong(400, "GET", STREAM, "lifetime", params={"lifetime": "long"}),
    # Who asks.
    Wrong(401, "GET", STREAM, "access token is needed", token=None),
    Wrong(401, "GET", STREAM, "together", token=None, headers={"X-Client-Id": "demo-1"}),
    Wrong(401, "GET", STREAM, "does not know", token=None, headers=pair_in_headers("demo-3", "demo-4-secret")),
    Wrong(401, "GET", STREAM, "does not know", token=None, headers=pair_in_headers("nobody", "secret")),
    Wrong(400, "GET", STREAM, "visible ASCII", token=None, headers=pair_in_headers(b"demo-\xff", "secret")),
    Wrong(400, "GET", STREAM, "visible ASCII", token=None, headers=pair_in_headers("demo-1", "s" * 300)),
    Wrong(403, "GET", STREAM, "X-User-id", headers=OTHER_USER),
    Wrong(403, "GET", STREAM, token=None, headers=pair_in_headers("demo-1", "demo-1-secret") | OTHER_USER),
    Wrong(403, "GET", STREAM, "scope person", token="operator"),
    Wrong(401, "GET", "/api/v2/me", "needed", token=None),
    Wrong(401, "GET", "/api/v2/me", "revoked", token="revoked"),
    Wrong(401, "GET", "/api/v2/me", "expired", token="expired"),
    Wrong(401, "GET", "/api/v2/me", "not valid", token="of another exchange"),
    Wrong(401, "GET", "/api/v2/me", "not valid", token="signed by another"),
    Wrong(401, "GET", "/api/v2/me", "not valid", token="garbage"),
    Wrong(401, "GET", "/api/v2/me", token=None, headers={"Authorization": "Basic ZGVtby0xOmRlbW8tMS1zZWNyZXQ="}),
    Wrong(401, "GET", STREAM, "revoked", token="revoked"),
    Wrong(401, "PUT", "/api/v2/subscriptions/eth_usd", token="expired"),
    Wrong(401, "GET", "/api/v1/market/{user}/create_order/eth_usd", token=None),
    Wrong(403, "GET", "/api/v2/operation", "scope operator"),
    Wrong(403, "PUT", "/api/v2/subscriptions/eth_usd", "scope person", token="operator"),
    # Logging in.
    Wrong(401, "POST", TOKEN, "does not know", None, body=f"{PAIR}&client_secret=x"),
    Wrong(400, "POST", TOKEN, "client_secret is missing", None, body=PAIR),
    Wrong(400, "POST", TOKEN, "grant_type", None, body="grant_type=password&username=a&password=b"),
    Wrong(400, "POST", TOKEN, "client id", None, body=f"{PAIR}%0a5&client_secret=x"),
    Wrong(401, "POST", TOKEN, "key", None, body="grant_type=api_key&api_key=cm_nobody_nothing"),
    Wrong(400, "POST", TOKEN, "URL", None, params={"client_secret": "demo-5-secret"}, body=PAIR),
    Wrong(400, "POST", TOKEN, "each field once", None, headers=JSON, body='{"grant_type": '),
    Wrong(400, "POST", TOKEN, "", None, headers=JSON, body='{"grant_type": 5}'),
    Wrong(400, "POST", TOKEN, "", None, headers={"Content-Type": "text/plain"}, body="grant_type=client_credentials"),
    Wrong(400, "POST", TOKEN, "", None),
    Wrong(413, "POST", TOKEN, "", None, headers=FORM, body=f"grant_type={LONG}"),
    Wrong(413, "POST", TOKEN, "", None, headers=FORM, body=f"grant_type={LONG[:10_000]}"),
    Wrong(403, "POST", TOKEN, "Origin", None, params={"cookie": "true"}, headers=ELSEWHERE, body="grant_type=api_key"),
    Wrong(403, "POST", TOKEN, "Origin", None, params={"cookie": "true"}, body="grant_type=api_key"),
    Wrong(400, "POST", TOKEN, "cookie", None, params={"cookie": "perhaps"}, body="grant_type=api_key"),
    # A browser that was lured: the cookie is sent, and does not count.
    Wrong(403, "PUT", "/api/v2/subscriptions/eth_usd", "Origin", cookie=True, headers=ELSEWHERE),
    Wrong(403, "PUT", "/api/v2/subscriptions/eth_usd", "Origin", cookie=True),
    Wrong(403, "DELETE", "/api/v2/subscriptions", "Origin", cookie=True, headers={"Origin": "null"}),
    Wrong(403, "GET", f"{V1}/create_order/eth_usd", "Origin", cookie=True, headers=ELSEWHERE),
    Wrong(403, "GET", f"{V1}/cancel_all_orders", "Origin", cookie=True),
    # The saved set.
    Wrong(404, "PUT", "/api/v2/subscriptions/btc_usdd", "Did you mean btc_usd"),
    Wrong(404, "PUT", "/api/v2/subscriptions/BTC%00USD", "no ticker"),
    Wrong(404, "PUT", f"/api/v2/subscriptions/{LONG[:5000]}", "no ticker"),
    Wrong(413, "PUT", "/api/v2/subscriptions/eth_usd", "at most 65536 bytes", body=LONG),
    Wrong(404, "DELETE", "/api/v2/subscriptions/eth_usd", "not subscribed"),
    Wrong(404, "GET", f"{V1}/create_order/nothing", "no ticker"),
    Wrong(404, "DELETE", f"{V1}/cancel_order/eth_usd", "not subscribed"),
    Wrong(403, "POST", "/api/v1/market/{other}/create_order/eth_usd", "another user"),
    Wrong(403, "DELETE", "/api/v1/market/{other}/cancel_order/btc_usd", "another user"),
    Wrong(403, "GET", "/api/v1/market/{other}/cancel_all_orders", "another user"),
    Wrong(403, "GET", "/api/v1/market/nobody/create_order/eth_usd", "another user"),
    # History.
    Wrong(403, "GET", "/api/v1/market/{other}/get_order/btc_usd", params={"start_date": "2026-01-31_12:00:00"}),
    Wrong(400, "GET", f"{V1}/get_order/btc_usd", "YYYY-MM-DD_H:M:S"),
    Wrong(400, "GET", f"{V1}/get_order/btc_usd", "YYYY-MM-DD_H:M:S", params={"start_date": "2026-01-31T12:00:00Z"}),
    Wrong(400, "GET", f"{V1}/get_order/btc_usd", "YYYY-MM-DD_H:M:S", params={"start_date": "2026-02-30_12:00:00"}),
    Wrong(400, "GET", f"{V1}/get_order/btc_usd", "lies in the future", params={"start_date": "2999-01-31_12:00:00"}),
    Wrong(404, "GET", f"{V1}/get_order/nothing", params={"start_date": "2026-01-31_12:00:00"}),
    Wrong(400, "GET", "/api/v2/ticks/btc_usd", "ISO 8601", params={"start": "yesterday"}),
    Wrong(422, "GET", "/api/v2/ticks/btc_usd", "future", params={"start": "2999-01-01T00:00:00Z"}),
    Wrong(422, "GET", "/api/v2/ticks/btc_usd", "before end", params={"start": "1700000001", "end": "1700000000"}),
    Wrong(422, "GET", "/api/v2/ticks/btc_usd", "1970", params={"end": "-1"}),
    Wrong(422, "GET", "/api/v2/ticks/btc_usd", "limit", params={"limit": "0"}),
    Wrong(422, "GET", "/api/v2/ticks/btc_usd", "limit", params={"limit": "10001"}),
    Wrong(400, "GET", "/api/v2/ticks/btc_usd", "limit", params={"limit": "many"}),
    Wrong(400, "GET", "/api/v2/ticks/btc_usd", "cursor", params={"cursor": "garbage"}),
    Wrong(422, "GET", "/api/v2/ticks/btc_usd", "no field 'colour'", params={"fields": "price,colour"}),
    Wrong(422, "GET", "/api/v2/ticks/btc_usd", "order", params={"order": "sideways"}),
    Wrong(422, "GET", "/api/v2/ticks/btc_usd", "source", params={"source": "rumour"}),
    Wrong(404, "GET", "/api/v2/ticks/nothing", "no ticker"),
    Wrong(404, "GET", "/api/v2/ticks/nothing/latest", "no ticker"),
    Wrong(404, "GET", "/api/v2/ticks/sol_usdc/latest", "Nothing"),
    Wrong(404, "GET", "/api/v2/gaps/nothing", "no ticker"),
    Wrong(400, "GET", "/api/v2/gaps/btc_usd", "ISO 8601", params={"end": "1e9"}),
    # Where nothing is, and how nothing is asked.
    Wrong(404, "GET", "/api/v2/nothing"),
    Wrong(404, "GET", "/.env", token=None),
    Wrong(405, "POST", "/health"),
    Wrong(405, "DELETE", STREAM),
    Wrong(405, "HEAD", STREAM),
    Wrong(405, "PATCH", "/api/v2/subscriptions/btc_usd"),
]  # fmt: skip


async def what_is_kept(stage: Stage, client: httpx.AsyncClient) -> Json:
    """What a wrong request must not change: both users' sets, the open streams, and what the exchange is asked for."""
    sets = []
    for name in ("own", "other"):
        answer = await client.get("/api/v2/subscriptions", headers={"Authorization": f"Bearer {stage.tokens[name]}"})
        sets.append([(row["ticker"], row["subscribed_ms"]) for row in answer.json()["subscriptions"]])
    operator = {"Authorization": f"Bearer {stage.tokens['operator']}"}
    operation = (await client.get("/api/v2/operation", headers=operator)).json()
    return sets, operation["streams"]["open"], operation["wanted"]


@pytest.mark.parametrize("wrong", WRONG, ids=[f"{number} {wrong.name}" for number, wrong in enumerate(WRONG)])
async def test_a_wrong_request_is_told_so_and_changes_nothing(stage: Stage, wrong: Wrong) -> None:
    """Promise: the documented status, a problem document with the id of the request that the caller gave, no trace."""
    request_id = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
    ids = {"user": stage.user_id, "other": stage.other_id}
    given = {"X-Request-ID": request_id} | (FORM if wrong.body is not None else {}) | dict(wrong.headers)
    headers = httpx.Headers(
        [
            (name.encode(), value.format(**ids).encode() if isinstance(value, str) else value)
            for name, value in given.items()
        ]
    )
    if wrong.token is not None and not wrong.cookie:
        headers["Authorization"] = f"Bearer {stage.tokens[wrong.token]}"
    if wrong.cookie:
        headers["Cookie"] = f"{COOKIE}={stage.tokens['own']}"
    async with watched(stage.gate, stage.contract) as client:
        before = await what_is_kept(stage, client)
        async with asyncio.timeout(5):
            answer = await client.request(
                wrong.method, wrong.path.format(**ids), params=wrong.params or None, headers=headers, content=wrong.body
            )
        assert answer.status_code == wrong.status, answer.text
        assert answer.headers["x-request-id"] == request_id
        assert answer.headers["content-type"] == PROBLEM
        if wrong.method != "HEAD":
            problem = answer.json()
            assert problem["request_id"] == request_id
            assert wrong.says in problem["detail"]
            assert not {"demo-4-secret", "demo-5-secret", TOKEN_KEY} & set(answer.text.split('"'))
        if wrong.status == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "set-cookie" not in answer.headers
        assert await what_is_kept(stage, client) == before


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: gateway\r\nX-Client-Id: demo-1\x01\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: gateway\r\n\r\n",
        b"POST /api/v2/auth/token HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
    ids=["garbage", "a control character in a header", "an endless path", "a body in no chunks"],
)
async def test_what_is_no_http_is_told_so(stage: Stage, sent: bytes) -> None:
    """Promise: also what no route ever sees is answered with a problem document and an id, and then hung up on."""
    host, _, port = stage.gate.url.removeprefix("http://").partition(":")
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    problem = json.loads(body)
    assert lines[0] == "HTTP/1.1 400 Bad Request"
    assert headers["content-type"] == PROBLEM
    assert (problem["status"], problem["request_id"]) == (400, headers["x-request-id"])


@pytest.mark.parametrize("given", ["", "not-a-uuid", "x" * 5000, "6f9619ff-8b86-4d01-b42d-00cf4fc964ff\tand more"])
async def test_an_id_that_is_none_is_replaced(stage: Stage, given: str) -> None:
    """Promise: what is no UUID does not get into headers and log lines; a new id stands in for it."""
    async with watched(stage.gate, stage.contract) as client:
        answer = await client.get("/api/v2/me", headers={"X-Request-ID": given})
    assert str(UUID(answer.headers["x-request-id"])) == answer.headers["x-request-id"] != given


@pytest.mark.parametrize(
    "garbage",
    ["garbage", "-", "0-0", "019a3f2c7b1e4d2a-1", "{epoch}-999999999", "{epoch}-", "{epoch}--1", "{epoch}-1e3",
     "{epoch}-٣", "\x00\n\r", "x" * 5000, "{epoch}-" + "9" * 60],
)  # fmt: skip
async def test_an_id_that_says_nothing_is_a_reset(stage: Stage, garbage: str) -> None:
    """Promise: whatever a reader comes back with, the stream opens; what can't be continued begins with snapshots."""
    async with reading(stage.gate, stage.tokens["own"], tickers="btc_usd,eth_usd") as reader:
        await reader.until(lambda reader: len(reader.named("snapshot")) == 2)
        given = garbage.replace("{epoch}", reader.last_id.partition("-")[0])
    async with reading(stage.gate, stage.tokens["own"], tickers="btc_usd,eth_usd", last_event_id=given) as reader:
        await reader.until(lambda reader: len(reader.named("snapshot")) == 2)
        assert reader.named("connected")[0]["resume"] == "reset"
        assert [told["ticker"] for told in reader.named("snapshot")] == ["btc_usd", "eth_usd"]
        assert reader.last_id


async def test_a_wrong_secret_is_asked_of_the_exchange_once(stage: Stage) -> None:
    """Promise: one attempt, no loop; after too many, none at all for a while, and how long that is."""
    pair = {"grant_type": "client_credentials", "client_id": "demo-77", "client_secret": "wrong"}
    async with watched(stage.gate, stage.contract) as client:
        for attempt in range(7):
            before = await stage.gate.simulator()
            answer = await client.post(TOKEN, data=pair)
            after = await stage.gate.simulator()
            asked = after["logins_refused"] - before["logins_refused"]
            assert (answer.status_code, asked) == ((401, 1) if attempt < 5 else (429, 0)), answer.text
            assert after["logins"] == before["logins"]
        assert answer.headers["ratelimit-remaining"] == "0"
        assert 1 <= int(answer.headers["retry-after"]) <= 300
        right = await client.post(TOKEN, data=pair | {"client_id": "demo-78", "client_secret": "demo-78-secret"})
        assert right.status_code == 200, "another client is not slowed by it"


async def test_the_own_page_may_use_its_cookie(stage: Stage) -> None:
    """Promise: the cookie counts for what comes from the gateway's own page, is kept from scripts, and ends with it."""
    own_page = {"Sec-Fetch-Site": "same-origin"}
    pair = {"grant_type": "client_credentials", "client_id": "demo-9", "client_secret": "demo-9-secret"}
    async with watched(stage.gate, stage.contract) as client:
        answer = await client.post(TOKEN, params={"cookie": "true"}, data=pair, headers={"Origin": stage.gate.url})
        assert answer.status_code == 200
        parts = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}
        assert {"httponly", "samesite=strict", "path=/"} <= parts
        assert "secure" not in parts, "a browser drops a Secure cookie that comes over http"
        user_id = answer.json()["user_id"]
        assert (await client.put("/api/v2/subscriptions/btc_usd", headers=own_page)).status_code == 201
        gone = await client.get(f"/api/v1/market/{user_id}/cancel_all_orders", headers=own_page)
        assert gone.json() == {"detail": {"cancelled": ["btc_usd"]}}
        assert (await client.post("/api/v2/auth/revoke")).status_code == 403
        assert (await client.post("/api/v2/auth/revoke", headers=own_page)).status_code == 200
        assert COOKIE not in client.cookies
        assert (await client.get("/api/v2/me")).status_code == 401


async def test_the_older_paths_do_what_the_newer_do(stage: Stage) -> None:
    """Promise: the older collection's calls work as they stand, and answer with a real body in `detail`."""
    token, user_id = await stage.gate.login(10)
    async with watched(stage.gate, stage.contract, token) as client:
        told = []
        for method, path in (
            ("GET", "create_order/btc_usd"), ("POST", "create_order/BTC_USD"), ("POST", "create_order/eth-perpetual"),
            ("GET", "cancel_order/btc_usd"), ("DELETE", "cancel_order/ETH-PERPETUAL"), ("GET", "cancel_all_orders"),
            ("DELETE", "cancel_all_orders"),
        ):  # fmt: skip
            answer = await client.request(method, f"/api/v1/market/{user_id}/{path}")
            told.append((answer.status_code, answer.json()["detail"]))
    assert told == [
        (201, {"ticker": "btc_usd", "created": True, "tickers": ["btc_usd"]}),
        (200, {"ticker": "btc_usd", "created": False, "tickers": ["btc_usd"]}),
        (201, {"ticker": "ETH-PERPETUAL", "created": True, "tickers": ["ETH-PERPETUAL", "btc_usd"]}),
        (200, {"ticker": "btc_usd", "tickers": ["ETH-PERPETUAL"]}),
        (200, {"ticker": "ETH-PERPETUAL", "tickers": []}),
        (200, {"cancelled": []}),
        (200, {"cancelled": []}),
    ]
