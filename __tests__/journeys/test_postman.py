"""The Postman collection runs green against a gateway, as the person who imports it would run it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from __tests__.journeys.gateway import gateway, reading
from scripts.make_postman import COLLECTION, ENVIRONMENT, ROOT

Json = Any  # newman's report is JSON of many shapes


async def newman(folder: Path, *only: str, **variables: str) -> Json:
    """A run of the collection, or of some of its folders, as newman reports it."""
    report = folder / f"report-{'-'.join(only)}.json"
    said = [word for name, value in variables.items() for word in ("--env-var", f"{name}={value}")]
    said += [word for name in only for word in ("--folder", name)]
    run = await asyncio.create_subprocess_exec(
        ROOT / "node_modules" / ".bin" / "newman", "run", ROOT / COLLECTION, "--environment", ROOT / ENVIRONMENT,
        "--reporters", "json", "--reporter-json-export", report, *said, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        await run.communicate()
    return json.loads(report.read_text())["run"]


async def test_the_collection_is_green_for_everybody(tmp_path: Path) -> None:
    """Promise: every request of a person and of an operator succeeds, and every assertion holds; the stream of three
    seconds is read from `connected` to `disconnected`. Without an operator's token it is green as well, and says of
    each of an operator's requests that it was refused.
    """
    async with gateway(tmp_path) as gate:
        token, _ = await gate.login()
        async with reading(gate, token, tickers="btc_usd") as reader:
            await reader.until(lambda told: told.named("message"))
        run, of_a_person = await asyncio.gather(
            newman(tmp_path, url_remote=gate.url, operator_token=await gate.operator()),
            newman(tmp_path, "accounts", "operation", "jobs", url_remote=gate.url),
        )
    for each in (*run["failures"], *of_a_person["failures"]):
        pytest.fail(f"{each['source']['name']}: {each['error']['message']}")
    assert run["stats"]["assertions"]["total"] > 2 * run["stats"]["items"]["total"] > 60
    told = {
        each["item"]["name"]: [assertion["assertion"] for assertion in each["assertions"]] for each in run["executions"]
    }
    assert any("connected comes first" in assertion for assertion in told["sse_V2"])
    assert any("disconnected comes last" in assertion for assertion in told["sse_V2"])
    assert {each["response"]["code"] for each in run["executions"]} <= {200, 201, 202}
    refused = {each["item"]["name"] for each in of_a_person["executions"] if each["response"]["code"] == 403}
    said = {
        each["item"]["name"]
        for each in of_a_person["executions"]
        if any("operator_token is not set" in assertion["assertion"] for assertion in each["assertions"])
    }
    assert refused == said == {"list_recent_gaps", "read_operation", "start_task", "list_tasks", "read_task"}
