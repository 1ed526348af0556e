"""Beat, on a real Redis and a clock that a test moves."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from __tests__.backplane.redis_server import RedisServer
from cryptomarket.beat import Timekeeper
from cryptomarket.broker import beat_app
from cryptomarket.settings import Settings

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
QUEUE = "cryptomarket:simulator:celery:default"


def said(client: Redis, job: str) -> list[tuple[str, dict[str, int]]]:
    """Id and arguments of each message of a job that waits, oldest first."""
    found = []
    for text in reversed(client.lrange(QUEUE, 0, -1)):
        message = json.loads(text)
        if message["headers"]["task"] == job:
            found.append((message["headers"]["id"], json.loads(base64.b64decode(message["body"]))[1]))
    return found


def test_persons_are_due_at_midnight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: `flush_persons` is said once, when the day begins, and not before; a beat that takes over does not say
    it again, and one that slept through midnight says it when it is back.
    """
    server = RedisServer(tmp_path)
    server.start()
    try:
        app = beat_app(Settings.model_validate({"redis_url": server.url, "exchange": "simulator"}))
        now = MIDNIGHT - timedelta(seconds=1)
        monkeypatch.setattr(app, "now", lambda: now)
        with server.client() as client:

            def look(beat: Timekeeper, at: datetime) -> list[tuple[str, dict[str, int]]]:
                nonlocal now
                now = at
                beat.tick()
                return said(client, "flush_persons")

            first = Timekeeper(app)
            assert look(first, now) == []
            assert look(first, MIDNIGHT - timedelta(milliseconds=1)) == []
            midnight_ms = round(MIDNIGHT.timestamp() * 1000)
            told = look(first, MIDNIGHT + timedelta(milliseconds=7))
            assert told == [(f"flush_persons-{midnight_ms}", {"scheduled_ms": midnight_ms, "said_ms": midnight_ms + 7})]
            assert look(first, MIDNIGHT + timedelta(hours=23)) == told
            first.close()
            second = Timekeeper(app)
            assert look(second, MIDNIGHT + timedelta(hours=23, minutes=59)) == told
            late = look(second, MIDNIGHT + timedelta(hours=26))
            second.close()
        next_ms = midnight_ms + 86_400_000
        assert late[1:] == [(f"flush_persons-{next_ms}", {"scheduled_ms": next_ms, "said_ms": next_ms + 7_200_000})]
    finally:
        server.stop()
