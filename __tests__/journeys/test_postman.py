"""The Postman collection runs green against a gateway, as the person who imports it would run it."""

import asyncio
import json
from pathlib import Path
from typing import Any

from __tests__.journeys.gateway import gateway, reading
from scripts.make_postman import COLLECTION, ENVIRONMENT, ROOT

Json = Any  # newman's report is JSON of many shapes


async def newman(folder: Path, **variables: str) -> Json:
    """A run of the collection, as newman reports it."""
    report = folder / "report.json"
    said = [word for name, value in variables.items() for word in ("--env-var", f"{name}={value}")]
    run = await asyncio.create_subprocess_exec(
        ROOT / "node_modules" / ".bin" / "newman", "run", ROOT / COLLECTION, "--environment", ROOT / ENVIRONMENT,
        "--reporters", "json", "--reporter-json-export", report, *said, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        await run.communicate()
    return json.loads(report.read_text())["run"]


async def test_the_collection_is_green_for_everybody(tmp_path: Path) -> None:
    """Promise: every request of a person and of an operator succeeds, and every assertion holds; the stream of three
    seconds is read from `connected` to `disconnected`.
    """
    async with gateway(tmp_path) as gate:
        token, _ = await gate.login()
        async with reading(gate, token, tickers="btc_usd") as reader:
            await reader.until(lambda told: told.named("message"))
        run = await newman(tmp_path, url_remote=gate.url, operator_token=await gate.operator())
    assert [f"{each['source']['name']}: {each['error']['message']}" for each in run["failures"]] == []
    assert run["stats"]["assertions"]["total"] > 2 * run["stats"]["items"]["total"] > 60
    told = {
        each["item"]["name"]: [assertion["assertion"] for assertion in each["assertions"]] for each in run["executions"]
    }
    assert any("connected comes first" in assertion for assertion in told["sse_V2"])
    assert any("disconnected comes last" in assertion for assertion in told["sse_V2"])
    assert {each["response"]["code"] for each in run["executions"]} <= {200, 201, 202}
