"""Each question of a client goes to the address that the contract names, with what was said and nothing else."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from __tests__.client.gateways import KNOWN, Scripted, says
from cryptomarket.client import Client, GatewayFailed, KeyPair
from cryptomarket.client.credentials import Credentials

INDEX = (
    '"ticker":"btc_usd","instrument_name":"btc_usd","kind":"index","price":1.5,"timestamp":%d,"received_us":2,'
    '"source":"stream","position":"e-1","seq":1,"prev_seq":null'
)
JUDGED = '"ticker":"btc_usd","start":1,"end":9,"bounds":"[start,end)","count":0,"complete":true,"gaps":[]'
NAME = "XRP_USDC-30JUN26-0d625-C"


def page(*times_ms: int, cursor: str = "null") -> str:
    """A page of history."""
    rows = ",".join("{%s}" % (INDEX % time_ms) for time_ms in times_ms)
    return f'{{{JUDGED},"next_cursor":{cursor},"data":[{rows}]}}'


@pytest.mark.parametrize(
    ("ask", "answer", "method", "target"),
    [
        (lambda c: c.me(), '{"user_id":"u","exchange":"simulator"}', "GET", "/api/v2/me"),
        (lambda c: c.subscriptions(), '{"subscriptions":[]}', "GET", "/api/v2/subscriptions"),
        (lambda c: c.subscribe(NAME), '{"tickers":[]}', "PUT", f"/api/v2/subscriptions/{NAME}"),
        (lambda c: c.cancel("a?b"), '{"tickers":[]}', "DELETE", "/api/v2/subscriptions/a%3Fb"),
        (lambda c: c.cancel_all(), '{"cancelled":[]}', "DELETE", "/api/v2/subscriptions"),
        (lambda c: c.latest("btc_usd"), "{%s}" % (INDEX % 1), "GET", "/api/v2/ticks/btc_usd/latest"),
        (
            lambda c: c.at("btc_usd", 5, max_difference_ms=7),
            "{%s}" % (INDEX % 1),
            "GET",
            "/api/v2/ticks/btc_usd/at?time=5&max_difference_ms=7",
        ),
        (
            lambda c: c.statistics("btc_usd", 1, 9),
            f'{{{JUDGED},"min":null,"max":null,"avg":null,"first":null,"last":null}}',
            "GET",
            "/api/v2/ticks/btc_usd/stats?start=1&end=9",
        ),
        (
            lambda c: c.candles("btc_usd", "1D", end=9),
            f'{{{JUDGED},"resolution":"1D","data":[]}}',
            "GET",
            "/api/v2/candles/btc_usd?resolution=1D&end=9",
        ),
        (lambda c: c.gaps("btc_usd"), '{"data":[]}', "GET", "/api/v2/gaps/btc_usd"),
        (
            lambda c: c.tickers(kind="option", currency="BTC", active=True),
            '{"data":[]}',
            "GET",
            "/api/v2/tickers?kind=option&currency=BTC&active=true",
        ),
        (
            lambda c: c.health(),
            '{"status":"alive","version":"1","exchange":"test","simulated":false,"exchange_reachable":true}',
            "GET",
            "/health",
        ),
        (lambda c: c.readiness(), '{"ready":true,"parts":{}}', "GET", "/ready"),
        (lambda c: c.revoke(), "{}", "POST", "/api/v2/auth/revoke"),
    ],
)
async def test_a_question_goes_to_its_address(
    ask: Callable[[Client], Awaitable[object]], answer: str, method: str, target: str
) -> None:
    """Promise: names are quoted, what was not said is not sent."""
    gateway = Scripted([says(200, answer)])
    async with gateway.client() as client:
        await ask(client)
    [asked] = gateway.asked
    assert (asked.method, asked.url.raw_path.decode()) == (method, target)


async def test_pages_follow_their_cursor() -> None:
    """Promise: the second page is asked for by the first one's cursor; `limit` ends the reading."""
    gateway = Scripted([says(200, page(1, 2, cursor='"c-1"')), says(200, page(3, 4))])
    assert [tick.timestamp_ms async for tick in gateway.client().ticks("btc_usd", 1, 9)] == [1, 2, 3, 4]
    queries = [dict(request.url.params) for request in gateway.asked]
    assert queries == [
        {"start": "1", "end": "9", "order": "asc", "limit": "1000"},
        {"cursor": "c-1", "limit": "1000"},
    ]
    gateway = Scripted([says(200, page(1, 2, cursor='"c-1"')), says(200, page(3, 4))])
    assert [tick.timestamp_ms async for tick in gateway.client().ticks("btc_usd", limit=3)] == [1, 2, 3]
    gateway = Scripted([says(200, page(1, 2, cursor='"c-1"'))])
    assert [tick.timestamp_ms async for tick in gateway.client().ticks("btc_usd", limit=2)] == [1, 2]
    assert len(gateway.asked) == 1


async def test_a_login_tells_whose_it_is() -> None:
    """Promise: a login gives user id, scope and life, and the token in a type that nothing shows."""
    token = '{"access_token":"hush","token_type":"bearer","expires_in":60,"user_id":"u","scope":"person"}'
    issued = await Scripted([says(200, token)]).client(KeyPair("demo-1", "demo-1-secret")).login()
    assert (issued.user_id, issued.scope, issued.expires_in_s) == ("u", "person", 60)
    assert "hush" not in repr(issued)


@pytest.mark.parametrize(
    ("ask", "credentials"),
    [
        (lambda c, at: c.me(), KNOWN),
        (lambda c, at: c.latest("btc_usd"), KNOWN),
        (lambda c, at: c.export("btc_usd", at / "x.csv"), KNOWN),
        (lambda c, at: c.login(), KeyPair("c", "s")),
    ],
    ids=["me", "latest", "export", "login"],
)
async def test_who_is_no_gateway_is_told_by_address_and_status(
    ask: Callable[[Client, Path], Awaitable[object]], credentials: Credentials, tmp_path: Path
) -> None:
    """Promise: another server's page is no answer, and whose it is and with which status is said."""
    client = Scripted([says(200, "<html>")]).client(credentials)
    with pytest.raises(GatewayFailed, match=r"^http://gateway\.test has .+ no gateway does.* \(status 200\)$"):
        await ask(client, tmp_path)
    assert not (tmp_path / "x.csv.part").exists()
