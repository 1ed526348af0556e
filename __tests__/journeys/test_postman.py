"""The Postman collection runs green against a gateway, as the person who imports it would run it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from __tests__.journeys.gateway import gateway, reading
from scripts.make_postman import COLLECTION, ENVIRONMENT, ROOT

Json = Any  # newman's report is JSON of many shapes


CONNECTED = "connected comes first, and says who and what"
MESSAGE = "a message came"
DISCONNECTED = "disconnected comes last: the stream had three seconds to live"


async def newman(folder: Path, *only: str, times: int = 1, **variables: str) -> Json:
    """A run of the collection, or of some of its folders, as newman reports it."""
    report = folder / f"report-{'-'.join(only)}.json"
    said = [word for name, value in variables.items() for word in ("--env-var", f"{name}={value}")]
    said += [word for name in only for word in ("--folder", name)]
    run = await asyncio.create_subprocess_exec(
        ROOT / "node_modules" / ".bin" / "newman", "run", ROOT / COLLECTION, "--environment", ROOT / ENVIRONMENT,
        "--iteration-count", str(times), "--reporters", "json", "--reporter-json-export", report, *said,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        await run.communicate()
    return json.loads(report.read_text())["run"]


@asynccontextmanager
async def answering(*bodies: bytes) -> AsyncIterator[str]:
    """Something that answers one request after the other with these streams; its address."""
    left = list(bodies)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = left.pop(0)
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-ID: 1\r\nContent-Length: {len(body)}\r\n"
        )
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def assertions_of(execution: Json) -> dict[str, bool]:
    """Which assertions of a request really ran, and whether each held."""
    return {each["assertion"]: "error" not in each for each in execution["assertions"] if not each["skipped"]}


async def test_the_collection_is_green_for_everybody(tmp_path: Path) -> None:
    """Promise: every request of a person and of an operator succeeds, and every assertion holds; the stream of three
    seconds is read from `connected` to `disconnected`. Without an operator's token it is green as well, and says of
    each of an operator's requests that it was refused.
    """
    async with gateway(tmp_path) as gate:
        token, user_id = await gate.login()
        async with reading(gate, token, tickers="btc_usd") as reader:
            await reader.until(lambda told: told.named("message"))
        run, of_a_person = await asyncio.gather(
            newman(tmp_path, url_remote=gate.url, operator_token=await gate.operator()),
            newman(tmp_path, "accounts", "operation", "jobs", url_remote=gate.url),
        )
    for each in (*run["failures"], *of_a_person["failures"]):
        pytest.fail(f"{each['source']['name']}: {each['error']['message']}")
    assert run["stats"]["assertions"]["total"] > 2 * run["stats"]["items"]["total"] > 60
    [stream] = [each for each in run["executions"] if each["item"]["name"] == "sse_V2"]
    assert dict.fromkeys((CONNECTED, MESSAGE, DISCONNECTED), True).items() <= assertions_of(stream).items()
    await assert_a_stream_that_lacks_something_is_red(bytes(stream["response"]["stream"]["data"]), user_id, tmp_path)
    assert {each["response"]["code"] for each in run["executions"]} <= {200, 201, 202}
    refused = {each["item"]["name"] for each in of_a_person["executions"] if each["response"]["code"] == 403}
    said = {
        each["item"]["name"]
        for each in of_a_person["executions"]
        if any("operator_token is not set" in assertion["assertion"] for assertion in each["assertions"])
    }
    assert refused == said == {"list_recent_gaps", "read_operation", "start_task", "list_tasks", "read_task"}


async def assert_a_stream_that_lacks_something_is_red(body: bytes, user_id: str, folder: Path) -> None:
    """The very stream that was green, told again: whole, and without each of the three events that it is read for."""
    blocks = body.split(b"\n\n")
    lacking = {
        CONNECTED: [block for block in blocks if b"event: connected" not in block],
        MESSAGE: [block for block in blocks if b"event: " in block],
        DISCONNECTED: [block for block in blocks if b"event: disconnected" not in block],
    }
    assert all(1 < len(left) < len(blocks) for left in lacking.values())
    async with answering(body, *(b"\n\n".join(left) for left in lacking.values())) as url:
        run = await newman(folder, "sse", times=1 + len(lacking), url_remote=url, x_user_id=user_id)
    whole, *others = [assertions_of(each) for each in run["executions"]]
    assert all(whole.values())
    for lacks, told in zip(lacking, others, strict=True):
        assert [name for name in lacking if not told[name]] == [lacks]
