"""How the gateway says that it lives, whether it can work, and what it does: over HTTP, from what it is told."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from __tests__.accounts.world import World, open_world
from cryptomarket.accounts.tokens import Scope
from cryptomarket.app import create_app
from cryptomarket.history.ledger import RecentGaps
from cryptomarket.history.schemas import RecordedGap
from cryptomarket.market.ticks import GapCause, GapState
from cryptomarket.operation import LogView, OperationParts, OperationView, PartState, SlotView, StreamsView
from cryptomarket.problems import MEDIA_TYPE

VIEW = OperationView(
    exchange="simulator",
    slots=[SlotView(slot=0, owner="me", purpose="data", session_state="ready", since_ms=1, channels=2)],
    wanted=["btc_usd"],
    held=[],
    credits=50_000,
    log=LogView(head="019a3f2c7b1e4d2a-7", stored_up_to=5),
    streams=StreamsView(open=1, behind=0, slow=0),
    gaps_open=1,
)

GAP = RecordedGap(
    ticker="btc_usd", from_ms=1, to_ms=2, cause=GapCause.BUS, state=GapState.RECORDED, seq=None, prev_seq=None
)


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[World]:
    """Somebody who knows who is calling."""
    async with open_world(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def serving(
    accounts: World, parts: Mapping[str, PartState], *, reachable: bool
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an application that is told these truths."""

    async def readiness() -> Mapping[str, PartState]:
        return parts

    async def operation() -> OperationView:
        return VIEW

    async def recent_gaps(hours: int) -> RecentGaps:
        return RecentGaps(start=0, end=hours, count=1, truncated=False, data=[GAP])

    told = OperationParts("simulator", lambda: reachable, readiness, operation, recent_gaps)
    app = create_app({}, exchange="simulator", body_limit_bytes=1024)

    async def with_state(scope: AsgiScope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"operation": told, "accounts": accounts.parts}}, receive, send)

    transport = httpx2.ASGITransport(app=with_state)
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


WELL = PartState(ready=True, detail="answers")
ILL = PartState(ready=False, detail="0 of 10 sessions")


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ({"exchange": WELL, "bus": WELL}, 200),
        ({"exchange": ILL, "bus": WELL}, 503),
        ({"exchange": ILL, "bus": ILL}, 503),
    ],
)
async def test_one_part_that_is_not_ready_is_enough(accounts: World, parts: dict[str, PartState], status: int) -> None:
    """Promise: 503 when a part is not ready, each part with its own truth and words, to anybody."""
    async with serving(accounts, parts, reachable=True) as client:
        answer = await client.get("/ready")
    assert answer.status_code == status
    assert answer.json()["ready"] is (status == 200)
    assert answer.json()["parts"] == {name: state.model_dump() for name, state in parts.items()}
    if status == 503:
        told = answer.json()
        assert answer.headers["content-type"] == MEDIA_TYPE
        assert (told["status"], told["title"], answer.headers["retry-after"]) == (503, "A part is not ready", "1")
        assert [name for name, state in parts.items() if not state.ready] == re.findall(r"(\w+) \(", told["detail"])
        assert told["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("reachable", [True, False])
async def test_health_is_of_the_process(accounts: World, reachable: bool) -> None:
    """Promise: alive is alive, whatever else is away; and it says whose prices these are."""
    async with serving(accounts, {"exchange": ILL}, reachable=reachable) as client:
        answer = await client.get("/health")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["exchange"], told["simulated"]) == ("alive", "simulator", True)
    assert told["exchange_reachable"] is reachable


async def test_the_operation_is_for_operators(accounts: World) -> None:
    """Promise: what the gateway does is told to operators, as it is, and to nobody else."""
    async with serving(accounts, {}, reachable=True) as client:
        assert (await client.get("/api/v2/operation")).status_code == 401
        headers = await accounts.bearer()
        assert (await client.get("/api/v2/operation", headers=headers)).status_code == 403
        key = await accounts.parts.keys.create("of a test", scope=frozenset({Scope.OPERATOR}))
        form = {"grant_type": "api_key", "api_key": key.text.reveal()}
        token = (await accounts.http.post("/api/v2/auth/token", data=form)).json()["access_token"]
        answer = await client.get("/api/v2/operation", headers={"Authorization": f"Bearer {token}"})
        gaps = await client.get("/api/v2/operation/gaps?hours=6", headers={"Authorization": f"Bearer {token}"})
        assert (await client.get("/api/v2/operation/gaps")).status_code == 401
        assert (await client.get("/api/v2/operation/gaps", headers=headers)).status_code == 403
    assert answer.json() == VIEW.model_dump()
    assert gaps.json()["end"] == 6
    assert gaps.json()["data"] == [GAP.model_dump()]
