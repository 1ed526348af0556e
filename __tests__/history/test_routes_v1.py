import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from __tests__.history.outside import USER
from __tests__.history.test_rows import insert_backfill
from __tests__.history.world import NOW_MS, heard, index_tick
from cryptomarket.db import Database
from cryptomarket.history.repository import Repository
from cryptomarket.market.wire import data_of

START_MS = int(datetime(2026, 1, 18, 20, 29, 42, tzinfo=UTC).timestamp() * 1000)
PATH = f"/api/v1/market/{USER}/get_order/btc_usd"


async def ask(client: httpx2.AsyncClient, **query: str) -> dict[str, Any]:
    response = await client.get(PATH, params=query)
    assert response.status_code == 200, response.text
    told: dict[str, Any] = json.loads(response.text, parse_float=Decimal)["detail"]
    return told


async def test_rows_are_told_by_their_time(client: httpx2.AsyncClient, repository: Repository) -> None:
    """The older shape: keyed by time, a second row of one millisecond numbered, rows as they were streamed."""
    batch = heard([index_tick(START_MS + 7, price) for price in ("1.10", "8.55E+4", "3")])
    await repository.keep(batch)
    response = await client.get(PATH, params={"start_date": "2026-1-18_20:29:42", "end_date": "2026-01-18_20:29:43"})
    detail = json.loads(response.text, parse_float=Decimal)["detail"]
    assert {name: detail[name] for name in ("user_id", "tickers", "count", "truncated")} == {
        "user_id": USER, "tickers": ["btc_usd"], "count": 3, "truncated": False,
    }  # fmt: skip
    assert detail["request_id"] == response.headers["x-request-id"]
    key = "2026-01-18 20:29:42.007"
    assert list(detail["message"]) == [key, f"{key}#2", f"{key}#3"]
    for told, row in zip(batch, detail["message"].values(), strict=True):
        assert row == json.loads(data_of(told.publication), parse_float=Decimal)


async def test_both_ends_are_included(client: httpx2.AsyncClient, repository: Repository) -> None:
    """Inclusive at both ends, to the millisecond."""
    times = (START_MS - 1, START_MS, START_MS + 1000, START_MS + 1001)
    await repository.keep(heard([index_tick(ms) for ms in times]))
    told = await ask(client, start_date="2026-01-18_20:29:42", end_date="2026-01-18_20:29:43")
    assert [row["timestamp"] for row in told["message"].values()] == [START_MS, START_MS + 1000]
    told = await ask(client, start_date="2026-01-18_20:29:42", end_date="2026-01-18_20:29:42")
    assert told["count"] == 1


async def test_the_end_is_now_when_absent(client: httpx2.AsyncClient, repository: Repository) -> None:
    """Without end_date the range reaches to this millisecond, which is included."""
    await repository.keep(heard([index_tick(ms) for ms in (NOW_MS - 1, NOW_MS, NOW_MS + 1)]))
    assert (await ask(client, start_date="2026-01-01_0:0:0"))["count"] == 2


async def test_ten_thousand_rows_and_then_truncated(client: httpx2.AsyncClient, repository: Repository) -> None:
    """At most 10,000 rows, the first ones, and it is said that there are more."""
    await repository.keep(heard([index_tick(START_MS + ms) for ms in range(10_001)]))
    told = await ask(client, start_date="2026-01-18_20:29:42")
    assert (told["count"], told["truncated"], len(told["message"])) == (10_000, True, 10_000)
    assert list(told["message"])[-1] == "2026-01-18 20:29:51.999"
    told = await ask(client, start_date="2026-01-18_20:29:43")
    assert (told["count"], told["truncated"]) == (9001, False)


async def test_only_what_is_believed_is_told(
    client: httpx2.AsyncClient, repository: Repository, database: Database
) -> None:
    """Stream rows; rows of other sources only where the stream heard nothing."""
    await repository.keep(heard([index_tick(START_MS + 100)]))
    await insert_backfill(database, START_MS + 50, START_MS + 150)
    told = await ask(client, start_date="2026-01-18_20:29:42")
    assert [row["timestamp"] for row in told["message"].values()] == [START_MS + 50, START_MS + 100]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"start_date": "2026-01-18"},
        {"start_date": "2026-01-18T20:29:42Z"},
        {"start_date": "1768768182"},
        {"start_date": "2026-01-18_20:29:42", "end_date": ""},
        {"start_date": "2026-01-18_20:29:42", "end_date": "tomorrow"},
        {"start_date": "2026-01-18_20:29:43", "end_date": "2026-01-18_20:29:42"},
        {"start_date": "2999-01-01_0:0:0"},
    ],
)
async def test_anything_else_is_told_the_pattern(client: httpx2.AsyncClient, query: dict[str, str]) -> None:
    """400 with the pattern in the message for anything that is not it, and when start lies after end."""
    response = await client.get(PATH, params=query)
    assert response.status_code == 400
    assert "YYYY-MM-DD_H:M:S" in response.json()["detail"]


async def test_a_start_in_the_future_is_told_as_such(client: httpx2.AsyncClient) -> None:
    """Promise: who has said no end is not told that his start lies after it; who has, is."""
    query = {"start_date": "2999-01-01_0:0:0"}
    told = (await client.get(PATH, params=query)).json()["detail"]
    assert told.startswith("start_date lies in the future: ")
    assert "end_date" not in told
    told = (await client.get(PATH, params=query | {"end_date": "2998-01-01_0:0:0"})).json()["detail"]
    assert told.startswith("start_date lies after end_date.")
    assert (await client.get(PATH, params=query | {"end_date": "2999-01-01_0:0:0"})).status_code == 200


async def test_another_users_path_is_forbidden(client: httpx2.AsyncClient) -> None:
    """{user_id} must be the caller's, whatever else is wrong."""
    response = await client.get("/api/v1/market/u_two/get_order/nonsense")
    assert response.status_code == 403
