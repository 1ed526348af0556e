"""Everywhere a deployment could leave a word behind: in Redis, in what Redis is asked, in the database, in logs, and in
what Flower shows.
"""

import base64
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import httpx

from __tests__.journeys.monitor import Monitor
from __tests__.journeys.scaled import Deployment

Place = tuple[str, bytes]
"""Its name, and what is there."""

QUEUED = re.compile(rb'"[LR]PUSH" "[^"]*celery:(?:high|default|low)" ".*?\\"id\\": \\"(\w+)-(\d+)\\"')
_FLOWER_PAGES: Final = ("/workers", "/tasks", "/broker", "/api/workers?refresh=1", "/api/tasks", "/api/task/types",
    "/api/queues/length", "/metrics")  # fmt: skip


def shapes_of(word: str) -> list[bytes]:
    """A word as it might lie about: plain, quoted for a URL, in hexadecimals, and in base64 wherever it begins."""
    plain = word.encode()
    encoded = [base64.b64encode(b"." * shift + plain)[4 * (shift > 0) : -4] for shift in range(3)]
    return [plain, urllib.parse.quote(word, safe="").encode(), plain.hex().encode(), *encoded]


def found(places: Iterable[Place], words: Mapping[str, str]) -> set[tuple[str, str]]:
    """Which of these words are where, in any shape: (name of the word, name of the place)."""
    shapes = {name: shapes_of(word) for name, word in words.items()}
    return {
        (name, place)
        for place, content in places
        for name, known in shapes.items()
        if any(shape in content for shape in known)
    }


def said(heard: Monitor, job: str) -> list[int]:
    """The times of the runs of a job that a beat has put into its queue, in order."""
    told = [match.groups() for line in heard.lines if (match := QUEUED.search(line))]
    return [int(slot_ms) for name, slot_ms in told if name.decode() == job]


def redis_place(built: Deployment) -> Place:
    """Every key with what is in it."""
    content = bytearray()
    with built.redis_client() as client:
        read = {
            b"string": client.get,
            b"hash": client.hgetall,
            b"list": lambda key: client.lrange(key, 0, -1),
            b"set": client.smembers,
            b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
            b"stream": client.xrange,
        }
        for key in client.keys("*"):
            kind = client.type(key)
            # It may have ended between the two looks.
            content += key + b" " + (repr(read[kind](key)).encode() if kind in read else b"") + b"\n"
    return "redis", bytes(content)


def database_place(built: Deployment) -> Place:
    """Every run of a job, with its arguments, its result and its error."""
    runs = built.postgres.sql("SELECT row_to_json(r) FROM crypto.job_runs r", built.database)
    return "job_runs", runs.encode()


def log_places(built: Deployment) -> Iterator[Place]:
    """What each process has written, those that help among them."""
    for path in sorted(built.folder.glob("*/*.log")):
        yield path.parent.name, path.read_bytes()


async def flower_places(shown: httpx.AsyncClient) -> list[Place]:
    """Every page that Flower has, those of each worker and of each task among them."""
    workers = (await shown.get("/api/workers", params={"refresh": "1"})).json()
    tasks = (await shown.get("/api/tasks")).json()
    pages = [*_FLOWER_PAGES, *(f"/worker/{name}" for name in workers)]
    pages += [page for id_ in tasks for page in (f"/task/{id_}", f"/api/task/info/{id_}")]
    places = []
    for page in pages:
        answer = await shown.get(page)
        assert answer.status_code == 200, (page, answer.text)
        places.append(("flower's pages", answer.content + str(answer.headers.multi_items()).encode()))
    return places
