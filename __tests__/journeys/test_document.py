"""The document against the running gateway: whatever is asked, the answer is one that was declared."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from __tests__.examples import examples
from __tests__.journeys.contract import Contract, contract_of, watched
from __tests__.journeys.gateway import Gateway, Json, gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAM = "/api/v2/sse/connection"
# These would end the token that everything else is asked with, or open a stream that nobody reads.
APART = {"revoke_token", "open_stream"}


@dataclass(frozen=True, repr=False)
class Stage:
    """A gateway, its document, and tokens to ask with."""

    gate: Gateway
    contract: Contract
    tokens: dict[str, str]
    user_id: str

    def __repr__(self) -> str:
        """Short, for reports of what was drawn."""
        return "the stage"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One gateway for everything that can be drawn."""
    unlimited = dict.fromkeys(("login_failures_per_address", "login_failures", "public_prices_per_minute"), "1000000")
    async with gateway(tmp_path_factory.mktemp("document"), **unlimited) as gate:
        token, user_id = await gate.login()
        tokens = {"person": token, "operator": await gate.operator(), "nobody": "garbage"}
        yield Stage(gate, await contract_of(gate), tokens, user_id)


TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
TIMES = st.sampled_from(["0", "-1", "1790165113", "1790165113481", "1790165113481000", "9" * 19, "2026-01-31", "now"])
WORDS = st.sampled_from(
    [
        "",
        " ",
        "btc_usd",
        "BTC-PERPETUAL",
        "btc_usdd",
        "0",
        "-1",
        "1",
        "1e400",
        "nan",
        "true",
        "null",
        "\x00",
        "a,,b",
        "%",
    ]
)
DATES = st.sampled_from(["2026-01-31_12:00:00", "2026-1-1_0:0:0", "0000-00-00_0:0:0", "9999-12-31_23:59:59"])
VALUES = TEXT | TIMES | WORDS | DATES


@dataclass(frozen=True)
class Drawn:
    """A request that the document describes, with values of every kind."""

    path: str
    query: dict[str, str]
    who: str
    body: bytes | None
    content_type: str


@st.composite
def requests(draw: st.DrawFn) -> Drawn:
    """Values for all that an operation of five parts may take; which of them count depends on the operation."""
    names = (
        "start",
        "end",
        "start_date",
        "end_date",
        "limit",
        "cursor",
        "order",
        "fields",
        "source",
        "format",
        "time",
        "max_difference_ms",
        "resolution",
        "kind",
        "currency",
        "active",
        "ticker",
        "skip",
        "cookie",
    )
    query = {name: draw(VALUES) for name in names if draw(st.integers(0, 3)) == 0}
    body = draw(st.none() | st.binary(max_size=60) | st.sampled_from([b"{}", b"[]", b"grant_type=api_key&api_key=x"]))
    return Drawn(
        path=draw(VALUES),
        query=query,
        who=draw(st.sampled_from(["person", "person", "person", "operator", "nobody"])),
        body=body,
        content_type=draw(st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain"])),
    )


def operations(document: Json) -> list[tuple[str, str]]:
    """Method and template of everything that can be asked again and again."""
    return [
        (method.upper(), template)
        for template, listed in document["paths"].items()
        for method, operation in listed.items()
        if operation["operationId"] not in APART
    ]


async def ask_everything(stage: Stage, drawn: Drawn) -> None:
    """Every operation, each answer held against the document."""
    async with watched(stage.gate, stage.contract, stage.tokens[drawn.who]) as client:
        for method, template in operations(stage.contract.document):
            path = template.replace("{user_id}", stage.user_id).replace("{ticker}", quote(drawn.path, safe="") or "x")
            answer = await client.request(
                method,
                path,
                params=drawn.query,
                content=drawn.body if method in {"POST", "PUT"} else None,
                headers={"Content-Type": drawn.content_type},
            )
            assert answer.status_code != 500, f"{method} {path} {drawn}: {answer.text}"


@settings(examples(40), suppress_health_check=list(HealthCheck))
@given(drawn=requests())
async def test_every_answer_is_declared(stage: Stage, drawn: Drawn) -> None:
    """Promise: each operation, asked for anything by anybody, answers with a status, a type and a body that the
    document has for it; and never fails inside.
    """
    await ask_everything(stage, drawn)


async def test_what_is_asked_covers_the_document(stage: Stage) -> None:
    """Promise: the test before looks at every operation, and at good answers as well as bad ones."""
    good = {"resolution": "1D", "time": "2026-01-31", "ticker": "btc_usd", "format": "csv"}
    for query, who in (
        ({}, "person"),
        ({"start": "yesterday"}, "person"),
        ({"limit": "0"}, "person"),
        ({}, "nobody"),
        (good, "person"),
    ):
        await ask_everything(stage, Drawn("btc_usd", query, who, b"{}", "application/json"))
    kept: dict[tuple[str, str], set[int]] = {}
    for method, template, status in stage.contract.kept:
        kept.setdefault((method, template), set()).add(status)
    assert set(operations(stage.contract.document)) <= set(kept)
    assert kept["GET", "/api/v2/ticks/{ticker}"] >= {200, 400, 401, 422}
    assert kept["GET", "/api/v2/candles/{ticker}"] >= {200, 400, 401}
    assert kept["GET", "/api/v2/ticks/{ticker}/stats"] >= {200, 400, 401}
    assert kept["GET", "/prices"] >= {200, 400}


@settings(examples(60), suppress_health_check=list(HealthCheck))
@given(
    query=st.dictionaries(st.sampled_from(["tickers", "timer", "mode", "lifetime", "last_event_id"]), VALUES),
    pair=st.none() | st.tuples(*[st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)] * 2),
    who=st.sampled_from(["person", "operator", "nobody"]),
)
async def test_a_stream_opens_or_says_why_not(
    stage: Stage, query: dict[str, str], pair: tuple[str, str] | None, who: str
) -> None:
    """Promise: every way to ask for a stream ends in a stream, or in a declared refusal before it opens."""
    headers: dict[str, Any] = {"Authorization": f"Bearer {stage.tokens[who]}"}
    if pair is not None:
        headers = dict(zip(("X-Client-Id", "X-Secret-key"), pair, strict=True))
    async with (
        watched(stage.gate, stage.contract) as client,
        client.stream("GET", STREAM, params=query, headers=headers) as answer,
    ):
        assert answer.status_code != 500
        if answer.status_code == 200:
            lines = answer.aiter_lines()
            assert "event: connected" in [await anext(lines) for _ in range(3)]


async def test_head_is_get_without_content(stage: Stage) -> None:
    """Promise: over a real connection, which then goes on: the headers of GET, and nothing after them."""
    async with stage.gate.client(stage.tokens["person"]) as client:
        for path in (
            "/",
            "/health",
            "/ready",
            "/docs",
            "/redoc",
            "/openapi.json",
            "/api/v2/me",
            "/api/v2/gaps/btc_usd",
        ):
            asked, got = await client.head(path), await client.get(path)
            assert (asked.status_code, asked.content) == (got.status_code, b"") == (200, b""), path
            assert asked.headers["content-type"] == got.headers["content-type"]
            assert isinstance(asked, httpx.Response)
            assert int(asked.headers["content-length"]) > 0
