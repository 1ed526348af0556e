"""What most people write: sse-starlette, and a subscription to Redis for each stream.

python -m benchmarks.rivals.naive PORT REDIS_PORT
"""

import sys
from collections.abc import AsyncIterator

import redis.asyncio as redis
import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from benchmarks.publisher import CHANNEL


def application(redis_port: int) -> Starlette:
    """One route."""
    # The library allows a hundred connections by itself; each stream takes one.
    client = redis.Redis(host="127.0.0.1", port=redis_port, decode_responses=True, max_connections=20_000)

    async def events() -> AsyncIterator[ServerSentEvent]:
        async with client.pubsub() as subscription:
            await subscription.subscribe(CHANNEL)
            async for message in subscription.listen():
                if message["type"] == "message":
                    id_, _, data = message["data"].partition("\n")
                    yield ServerSentEvent(data[6:-2], id=id_[4:], sep="\n")

    async def stream(request: Request) -> EventSourceResponse:
        return EventSourceResponse(events())

    return Starlette(routes=[Route("/", stream)])


def main() -> None:
    """The command."""
    port, redis_port = map(int, sys.argv[1:])
    uvicorn.run(application(redis_port), port=port, backlog=2048, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
