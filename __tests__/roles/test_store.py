"""Processes that store what others publish."""

import asyncio
from pathlib import Path

from __tests__.postgres_server import PostgresServer
from __tests__.roles.deployment import deployment, told_by
from cryptomarket.roles.role import Role


async def test_what_is_published_is_stored_once_by_however_many(tmp_path: Path, postgres: PostgresServer) -> None:
    """Promise: two writers store everything that was published up to an orderly end, each event once, to the row."""
    async with deployment(tmp_path, postgres) as built, built.process(Role.API) as api:
        async with built.process(Role.WRITE) as first, built.process(Role.WRITE):
            assert {name: part.ready for name, part in (await told_by(first).readiness()).items()} == {
                "bus": True, "database": True, "writer": True,
            }  # fmt: skip
            async with built.process(Role.INGEST), asyncio.timeout(20):
                await api.hub.reached(30)
        head = api.hub.position.seq
    database = built.settings.database_name
    tables = ("price_tickers", "statuses", "gaps")
    rows = " UNION ALL ".join(f"SELECT seq FROM crypto.{table} WHERE epoch IS NOT NULL" for table in tables)
    stored = postgres.sql(f"SELECT count(*), count(DISTINCT seq), max(seq) FROM ({rows}) AS stored", database)
    assert stored.strip() == f"{head}|{head}|{head}"
