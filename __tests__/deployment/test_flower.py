"""Flower beside the workers, as compose starts it."""

import asyncio
import os
import sys
from pathlib import Path

import httpx

from __tests__.backplane.redis_server import free_port
from __tests__.journeys.scaled import own_redis
from __tests__.journeys.witness import comes_true


async def _started(folder: Path, **settings: str) -> asyncio.subprocess.Process:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "DATA_DIR": str(folder), **settings}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cryptomarket.flower", cwd=folder, env=environment, stderr=asyncio.subprocess.PIPE
    )


async def test_it_asks_for_a_password_and_knows_the_queues(tmp_path: Path) -> None:
    """Promise: it refuses to start without a password; with one it lets in who has it, and nobody else."""
    with own_redis() as redis:
        settings = {"EXCHANGE": "simulator", "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0"}
        refused = await _started(tmp_path, **settings)
        _, complaint = await refused.communicate()
        assert (refused.returncode, b"FLOWER_BASIC_AUTH" in complaint) == (2, True)
        port = str(free_port())
        running = await _started(tmp_path, **settings, FLOWER_BASIC_AUTH="me:a word", FLOWER_PORT=port)
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:

                async def is_up() -> bool:
                    try:
                        return (await client.get("/healthcheck")).status_code == 200
                    except httpx.TransportError:
                        return False

                await comes_true(is_up, within_s=30)
                assert (await client.get("/tasks")).status_code == 401
                assert (await client.get("/tasks", auth=("me", "a word"))).status_code == 200
        finally:
            running.terminate()
            await running.communicate()


async def test_it_does_not_start_where_no_redis_answers(tmp_path: Path) -> None:
    """Promise: it ends with one sentence, rather than ask for ever and look alive."""
    settings = {"EXCHANGE": "simulator", "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    refused = await _started(tmp_path, **settings, FLOWER_BASIC_AUTH="me:a word", FLOWER_PORT=str(free_port()))
    try:
        async with asyncio.timeout(20):
            _, complaint = await refused.communicate()
        assert (refused.returncode, complaint.count(b"\n"), b"Redis" in complaint) == (2, 1, True), complaint
    finally:
        if refused.returncode is None:
            refused.kill()
            await refused.wait()
