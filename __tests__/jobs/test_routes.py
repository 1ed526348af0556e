"""Jobs from outside."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from __tests__.accounts.acquainted import acquainted
from __tests__.jobs.world import BESIDE, NOW_MS, World, run_of
from cryptomarket.accounts.tokens import Scope
from cryptomarket.jobs.arguments import Arguments, OfTickers
from cryptomarket.jobs.job import Occasion, Result
from cryptomarket.jobs.runs import RunState

SCOPES = {"operator": Scope.OPERATOR}


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=acquainted({"jobs": world.parts}, scopes=SCOPES.values()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


async def test_a_job_is_started_and_followed(client: httpx2.AsyncClient, world: World) -> None:
    """Promise: 202 with where to look; there it is, and among the others."""
    answer = await client.post("/workers/tasks/beside", json={"tickers": ["btc_usd"]})
    assert answer.status_code == 202
    assert answer.headers["location"] == answer.json()["status_url"]
    told = (await client.get(answer.json()["status_url"])).json()
    assert (told["state"], told["arguments"], told["finished"]) == ("queued", {"tickers": ["btc_usd"]}, None)
    await world.runs.note(run_of(BESIDE, at_ms=NOW_MS - 5, state=RunState.FAILED, error="it did not like it"))
    listed = (await client.get("/workers/tasks", params={"state": "failed"})).json()
    assert [(task["error"], task["started"]) for task in listed["tasks"]] == [("it did not like it", NOW_MS - 5)]
    assert {job["name"] for job in listed["jobs"]} == {"alone", "beside"}
    assert (await client.get("/workers/tasks", params={"limit": 1})).json()["count"] == 1
    assert (await client.get("/workers/tasks", params={"name": "alone"})).json()["count"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/workers/tasks/nothing", None, 404),
        ("GET", "/workers/tasks/nothing", None, 404),
        ("POST", "/workers/tasks/alone", {"days": 0}, 422),
        ("POST", "/workers/tasks/alone", {"hours": 1}, 422),
        ("POST", "/workers/tasks/alone", {"days": 36_500}, 422),
        ("POST", "/workers/tasks/beside", {"tickers": []}, 422),
        ("POST", "/workers/tasks/beside", ["btc_usd"], 400),
        ("GET", "/workers/tasks?name=nothing", None, 404),
        ("GET", "/workers/tasks?limit=0", None, 422),
        ("GET", "/workers/tasks?limit=many", None, 400),
    ],
)
async def test_what_can_not_be_is_refused(
    client: httpx2.AsyncClient, method: str, path: str, body: object, status: int
) -> None:
    """Promise: an unknown job or run is 404, arguments out of range, or impossible together, 422, what can't
    be read 400; and nothing is added.
    """
    assert (await client.request(method, path, json=body)).status_code == status
    assert (await client.get("/workers/tasks")).json()["tasks"] == []


@pytest.mark.parametrize("media_type", ["application/json", "application/x-www-form-urlencoded", None])
@pytest.mark.parametrize("body", ["{", "[1]", "1", "{}}"])
async def test_a_body_that_is_no_object_says_so(client: httpx2.AsyncClient, media_type: str | None, body: str) -> None:
    """Promise: 400 with what it must be, whether it breaks off, is of another shape, or is sent as something else."""
    headers = {} if media_type is None else {"Content-Type": media_type}
    answer = await client.post("/workers/tasks/beside", content=body, headers=headers)
    told = answer.json()
    assert (answer.status_code, told["detail"]) == (400, "The body can't be read: it must be a JSON object.")
    assert told["errors"] == [{"field": "body", "message": told["detail"]}]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"days": 0}, 422, "days must be a whole number from 1 to 36500."),
        ({"hours": 1}, 422, "There is no argument 'hours'; this job takes days, dry_run."),
    ],
)
async def test_a_refusal_says_what_would_be_right(
    client: httpx2.AsyncClient, body: dict[str, object], status: int, sentence: str
) -> None:
    """Promise: a plain sentence, and the argument by name."""
    answer = await client.post("/workers/tasks/alone", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (status, sentence)
    assert [each["field"] for each in answer.json()["errors"]] == list(body)


async def test_a_job_that_is_under_way_is_a_conflict(client: httpx2.AsyncClient) -> None:
    """Promise: 409 when it must not run beside itself, naming the run."""
    first = (await client.post("/workers/tasks/alone")).json()["task_id"]
    second = await client.post("/workers/tasks/alone")
    assert second.status_code == 409
    assert first in second.json()["detail"]


async def test_only_operators_see_jobs(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: 403 for a person's token."""
    monkeypatch.setitem(SCOPES, "operator", Scope.PERSON)
    assert (await client.get("/workers/tasks")).status_code == 403
    assert (await client.post("/workers/tasks/beside")).status_code == 403


async def test_a_ticker_named_like_a_secret_breaks_no_list(client: httpx2.AsyncClient, world: World) -> None:
    """Promise: neither what a job says of it, nor a result that can't be read, keeps runs from being looked at."""

    async def refuses(_arguments: Arguments, _occasion: Occasion) -> Result:
        return {"stored": {}, "refused": {"token": "no such ticker"}}

    world.does = refuses
    run = (await world.runner.run(BESIDE, "by-hand", OfTickers(tickers=["token"]), scheduled_ms=NOW_MS)).run
    assert run is not None
    await world.runs.note(run_of(BESIDE, at_ms=NOW_MS - 5, state=RunState.SUCCEEDED, result='{"secret":***}'))
    assert (await client.get("/workers/tasks/by-hand")).json()["result"] == {"stored": {}, "refused": {"token": "***"}}
    listed = (await client.get("/workers/tasks")).json()["tasks"]
    assert [task["result"].get("omitted") for task in listed] == [None, "a result that can't be read"]
