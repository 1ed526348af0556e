"""The paths of the siblings, as those answered them."""

from dataclasses import replace

import httpx2
import pytest

from __tests__.history.outside import Names, client_of, open_to_all
from __tests__.history.world import StoppedClock, heard, index_tick, new_bus, new_cache
from cryptomarket.accounts.tokens import Scope
from cryptomarket.history import routes_prices
from cryptomarket.history.parts import build_history
from cryptomarket.history.repository import Repository
from cryptomarket.history.schemas_prices import Item, Items, Price, Prices, PricesBetween

MS = 1_768_768_182_422
"""The example of the contract: 2026-01-18T20:29:42.422Z."""
ROW = {
    "id": 1, "ticker": "btc_usd", "price": 95413.23, "timestamp": MS, "created_at": "2026-01-18T20:29:42.422250+00:00",
}  # fmt: skip
ITEM = ROW | {"price": "95413.23", "timestamp": MS * 1000}
BTC = {"ticker": "btc_usd"}


async def test_exactly_the_shapes_of_the_siblings(client: httpx2.AsyncClient, repository: Repository) -> None:
    """Promise: the answers of the contract's examples, letter for letter."""
    await repository.keep(heard([index_tick(MS, "95413.23")]))
    assert (await client.get("/prices", params=BTC)).json() == {"data": [ROW], "count": 1, "ticker": "btc_usd"}
    assert (await client.get("/prices/latest", params=BTC)).json() == ROW
    between = await client.get("/prices/filter", params=BTC | {"start": str(MS), "end": str(MS + 1)})
    assert between.json() == {"data": [ROW], "count": 1, "ticker": "btc_usd", "start": MS, "end": MS + 1}
    assert (await client.get("/api/v1/deribit/", params=BTC)).json() == {"items": [ITEM]}
    assert (await client.get("/api/v1/deribit/latest", params=BTC)).json() == ITEM
    days = {"start_date": "2026-01-18", "end_date": "2026-01-18"}
    assert (await client.get("/api/v1/deribit/filter", params=BTC | days)).json() == {"items": [ITEM]}


async def test_the_documented_shapes_are_those_that_come(client: httpx2.AsyncClient, repository: Repository) -> None:
    """Promise: prices keep their digits: a number in one family, a text without a power of ten in the other."""
    await repository.keep(heard([index_tick(MS, "8.55E+4"), index_tick(MS + 1, "85500.000000001")]))
    for path, model in (("prices", Prices), ("prices/latest", Price), ("prices/filter", PricesBetween),
                        ("api/v1/deribit/", Items), ("api/v1/deribit/latest", Item),
                        ("api/v1/deribit/filter", Items)):  # fmt: skip
        answer = await client.get(f"/{path}", params=BTC | {"start": "0"})
        model.model_validate_json(answer.content)
        assert "85500.000000001" in answer.text
    assert [item["price"] for item in (await client.get("/api/v1/deribit/", params=BTC)).json()["items"]] == [
        "85500.000000001", "85500",
    ]  # fmt: skip


async def test_the_newest_come_first_and_ranges_in_order(client: httpx2.AsyncClient, repository: Repository) -> None:
    """Promise: `limit` and `skip` walk back in time; filters walk forward, without the end, days with it."""
    await repository.keep(heard([index_tick(MS + ms, str(ms)) for ms in range(5)]))

    async def asked(path: str, **query: object) -> list[int]:
        told = (await client.get(path, params=BTC | {name: str(value) for name, value in query.items()})).json()
        return [row["timestamp"] - MS for row in told["data"]]

    assert await asked("/prices", limit=2) == [4, 3]
    assert await asked("/prices", limit=2, skip=3) == [1, 0]
    assert await asked("/prices", skip=9) == []
    assert await asked("/prices/filter", start=MS + 1, end=MS + 3) == [1, 2]
    assert await asked("/prices/filter", start=MS + 3) == [3, 4]


async def test_a_day_is_whole(client: httpx2.AsyncClient, repository: Repository) -> None:
    """Promise: the last day counts to its end, the first from its beginning."""
    day = 1_768_780_800_000  # 2026-01-19
    await repository.keep(heard([index_tick(day + ms) for ms in (-1, 0, 86_399_999, 86_400_000)]))
    query = BTC | {"start_date": "2026-01-19", "end_date": "2026-01-19"}
    items = (await client.get("/api/v1/deribit/filter", params=query)).json()["items"]
    assert [item["timestamp"] // 1000 - day for item in items] == [0, 86_399_999]
    assert len((await client.get("/api/v1/deribit/filter", params=BTC)).json()["items"]) == 4


@pytest.mark.parametrize(
    ("path", "query", "status", "field"),
    [
        ("/prices", {}, 400, "ticker"),
        ("/prices", {"ticker": "btc_usdd"}, 404, "ticker"),
        ("/prices", {"ticker": "eth_usd"}, 403, "ticker"),
        ("/prices", BTC | {"limit": "1001"}, 422, "limit"),
        ("/prices", BTC | {"skip": "-1"}, 422, "skip"),
        ("/prices/latest", BTC, 404, "ticker"),
        ("/prices/filter", BTC, 400, "start"),
        ("/prices/filter", BTC | {"start": "soon"}, 400, "start"),
        ("/prices/filter", BTC | {"start": "5", "end": "5"}, 422, "start"),
        ("/api/v1/deribit/latest", BTC, 404, "ticker"),
        ("/api/v1/deribit/filter", BTC | {"start_date": "2026-1-1"}, 400, "start_date"),
        ("/api/v1/deribit/filter", BTC | {"end_date": "2026-02-30"}, 400, "end_date"),
        ("/api/v1/deribit/filter", BTC | {"start_date": "2026-01-02", "end_date": "2026-01-01"}, 422, "start_date"),
        ("/api/v1/deribit/filter", BTC | {"start_date": "1969-01-01"}, 400, "start_date"),
    ],
)
async def test_a_question_that_cannot_be_is_refused(
    client: httpx2.AsyncClient, path: str, query: dict[str, str], status: int, field: str
) -> None:
    """Promise: each mistake is told with its field."""
    answer = await client.get(path, params=query)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)


@pytest.mark.parametrize(
    "end", [{}, {"end_date": "2026-09-24"}, {"end_date": "2026-09-25"}, {"end_date": "2026-09-01"}]
)
async def test_days_that_are_not_yet_are_refused(client: httpx2.AsyncClient, end: dict[str, str]) -> None:
    """Promise: a first day after today is told as such, whatever the last one is."""
    answer = await client.get("/api/v1/deribit/filter", params=BTC | {"start_date": "2026-09-24"} | end)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "start_date")
    assert answer.json()["detail"] == "start_date lies in the future."


@pytest.mark.parametrize("since_midnight_ms", [0, 1, 86_399_999])
async def test_today_may_be_asked_from_its_first_moment(
    client: httpx2.AsyncClient, stopped: StoppedClock, since_midnight_ms: int
) -> None:
    """Promise: today is no future, even at midnight, when nothing of it has passed; until tomorrow, too."""
    stopped.now_ms = 1_768_780_800_000 + since_midnight_ms  # 2026-01-19
    for end in ({}, {"end_date": "2026-01-19"}, {"end_date": "2026-01-20"}):
        answer = await client.get("/api/v1/deribit/filter", params=BTC | {"start_date": "2026-01-19"} | end)
        assert (answer.status_code, answer.json()) == (200, {"items": []})


async def test_too_many_rows_are_refused(
    client: httpx2.AsyncClient, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise: never a short list that looks whole."""
    monkeypatch.setattr(routes_prices, "MAX_ROWS", 2)
    await repository.keep(heard([index_tick(MS + ms) for ms in range(3)]))
    for path in ("/prices/filter", "/api/v1/deribit/filter"):
        answer = await client.get(path, params=BTC | {"start": str(MS)})
        assert answer.status_code == 422
        assert "more than 2 rows" in answer.json()["detail"]


async def test_anybody_may_ask_so_often(repository: Repository, stopped: StoppedClock) -> None:
    """Promise: no token is needed, and no address asks without end; 0 closes every path."""
    parts = build_history(repository, new_bus(), new_cache(), open_to_all(per_minute=1), Names(), stopped.clock)
    async with client_of(parts, scope=Scope.OPERATOR) as client:
        assert (await client.get("/prices", params=BTC)).status_code == 200
        answer = await client.get("/prices", params=BTC)
        assert (answer.status_code, answer.headers["ratelimit-limit"]) == (429, "1")
        assert int(answer.headers["retry-after"]) >= 1
    async with client_of(replace(parts, public=open_to_all(per_minute=0))) as client:
        for path in ("/prices", "/prices/latest", "/prices/filter", "/api/v1/deribit/", "/api/v1/deribit/latest",
                     "/api/v1/deribit/filter"):  # fmt: skip
            assert (await client.get(path, params=BTC | {"start": "0"})).status_code == 404
