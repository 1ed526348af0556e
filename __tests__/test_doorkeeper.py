"""Every request leaves a line without what is its owner's, and nobody is left waiting by a process that stops."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.testing import capture_logs

from cryptomarket.app import create_app
from cryptomarket.clock import Clock
from cryptomarket.doorkeeper import Doorkeeper

ID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


class Waiting:
    """An application with a route that answers only when it is told, and one that streams until then."""

    def __init__(self) -> None:
        self.app: FastAPI = create_app({}, exchange="simulator", body_limit_bytes=1000)
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()
        self.app.add_api_route("/wait/{name}", self.wait)
        self.app.add_api_route("/stream", self.stream)
        self.app.add_api_route("/broken", self.broken)

    async def wait(self, name: str) -> str:
        self.asked.set()
        await self.go_on.wait()
        return name

    async def stream(self) -> StreamingResponse:
        async def events() -> AsyncIterator[bytes]:
            yield b"data: 1\n\n"
            self.asked.set()
            await self.go_on.wait()
            yield b"data: 2\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    async def broken(self) -> None:
        raise RuntimeError("of no interest")


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway", headers={"X-Request-ID": ID})


async def test_each_request_leaves_one_line(waiting: Waiting) -> None:
    """Promise: method, template, status and duration of each request; no query and no name out of its path."""
    waiting.go_on.set()
    keeper = Doorkeeper(waiting.app, clock=Clock.system())
    async with client_of(keeper) as client:
        with capture_logs() as lines:
            await client.get("/wait/anna-s-name?token=of-anna")
            await client.get("/nowhere/anna-s-name?token=of-anna")
            await client.post("/wait/anna-s-name")
            await client.get("/broken")
    told = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["path"], line["status"]) for line in told] == [
        ("GET", "/wait/{name}", 200), ("GET", None, 404), ("POST", "/wait/{name}", 405), ("GET", "/broken", 500),
    ]  # fmt: skip
    assert all(line["duration_ms"] >= 0 and line["log_level"] == "info" for line in told)
    assert "anna" not in repr(told)


async def test_a_stream_is_told_when_it_begins(waiting: Waiting) -> None:
    """Promise: a stream that lasts an hour is seen in the log when it opens, not when it is over."""
    keeper = Doorkeeper(waiting.app, clock=Clock.system())
    async with client_of(keeper) as client:
        with capture_logs() as lines:
            reading = asyncio.create_task(client.get("/stream"))
            await waiting.asked.wait()
            assert [(line["event"], line["status"]) for line in lines] == [("stream opened", 200)]
            waiting.go_on.set()
            await reading
    assert len(lines) == 1


async def test_a_stop_answers_those_who_wait(waiting: Waiting) -> None:
    """Promise: who waits for something when the process stops gets a problem with his id soon, and no bare error."""
    keeper = Doorkeeper(waiting.app, clock=Clock.system(), grace_s=0.05)
    async with client_of(keeper) as client:
        asking = asyncio.create_task(client.get("/wait/x"))
        await waiting.asked.wait()
        keeper.close()
        async with asyncio.timeout(2):
            answers = [await asking, await client.get("/wait/late")]
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-request-id"] == answer.json()["request_id"] == ID
        assert int(answer.headers["retry-after"]) > 0
        assert "stopping" in answer.json()["detail"]


async def test_a_stop_cuts_off_no_answer_that_has_begun(waiting: Waiting) -> None:
    """Promise: a stream says its own farewell; what is being answered is answered."""
    keeper = Doorkeeper(waiting.app, clock=Clock.system(), grace_s=0)
    async with client_of(keeper) as client:
        reading = asyncio.create_task(client.get("/stream"))
        await waiting.asked.wait()
        keeper.close()
        await asyncio.sleep(0.05)  # sleep: longer than the grace, which must not count here
        waiting.go_on.set()
        assert (await reading).text == "data: 1\n\ndata: 2\n\n"


@pytest.mark.parametrize("is_closing", [True, False])
async def test_what_the_server_waits_for_in_vain_is_broken_off(waiting: Waiting, *, is_closing: bool) -> None:
    """Promise: an answer that nobody reads ends with the process in one line and not in a traceback, and looks like no
    whole one; who cancels anything else is told so.
    """
    is_aborted = asyncio.Event()

    async def abort() -> None:
        is_aborted.set()

    scope = {"type": "http", "method": "GET", "path": "/stream", "headers": [], "query_string": b"", "root_path": ""}
    keeper = Doorkeeper(waiting.app, clock=Clock.system())
    with capture_logs() as lines:
        serving = asyncio.ensure_future(
            keeper({**scope, "extensions": {"http.response.abort": abort}}, _nobody_leaves, _nowhere)
        )
        await waiting.asked.wait()
        if is_closing:
            keeper.close()
        serving.cancel()
        [ended] = await asyncio.gather(serving, return_exceptions=True)
    assert is_aborted.is_set() is is_closing
    assert isinstance(ended, asyncio.CancelledError) is not is_closing
    broken_off = [line["path"] for line in lines if line["event"] == "an answer was broken off by the stop"]
    assert broken_off == (["/stream"] if is_closing else [])


async def test_an_applications_own_timeout_stays_its_own() -> None:
    """Promise: a fault is not taken for the stop."""

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await Doorkeeper(slow, clock=Clock.system())({"type": "http", "method": "GET"}, _nothing, _nowhere)


async def test_it_lets_the_server_talk_with_the_application(waiting: Waiting) -> None:
    """Promise: what is no request passes untouched."""
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope = {"type": "lifespan"}
    with capture_logs() as lines:
        await Doorkeeper(app, clock=Clock.system())(scope, _nothing, _nowhere)
    assert seen == [scope]
    assert not lines


async def _nobody_leaves() -> dict[str, object]:
    await asyncio.Event().wait()
    return {}


async def _nothing() -> dict[str, object]:
    return {}


async def _nowhere(message: object) -> None:
    assert message
