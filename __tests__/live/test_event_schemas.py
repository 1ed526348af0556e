"""The document's picture of the events, held against the events themselves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from __tests__.live.served import Served, served, until
from __tests__.live.world import START_MS, Event, gap, status, tick
from cryptomarket.live.event_schemas import EVENTS, EVENTS_SCHEMA
from cryptomarket.market.ticks import FeedState, GapCause


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as opened:
        yield opened


def check(event: Event) -> None:
    """Asserts that an event has every field that its schema has, of its type, and a tick at most more."""
    schema = EVENTS[event.name].model_json_schema()
    if event.name not in {"message", "snapshot"}:
        schema["additionalProperties"] = False
    Draft202012Validator(schema).validate(event.data)


async def test_what_is_sent_is_what_is_shown(gate: Served) -> None:
    """Promise: a client that was generated from the document can read each event of a stream."""
    seen = set()
    async with gate.stream() as (_, events):
        await gate.http.put("/api/v2/subscriptions/btc_usd", headers=gate.bearer())
        told = await until(events, "snapshot")
        broken = gap("btc_usd", START_MS, START_MS + 9, GapCause.SILENCE)
        await gate.publish(tick("btc_usd"), status("btc_usd", FeedState.LIVE), broken)
        told += await until(events, "gap")
        await gate.http.delete("/api/v2/subscriptions/btc_usd", headers=gate.bearer())
        told += await until(events, "unsubscribed")
        gate.hub.drain()
        told += await until(events, "disconnected")
        for event in told:
            check(event)
            seen.add(event.name)
    assert seen == set(EVENTS) - {"keep_alive", "problem"}


def test_each_event_has_one_shape() -> None:
    """Promise: an event is of one kind, told by its name, and a tick by having none."""
    shape = Draft202012Validator(EVENTS_SCHEMA["contentSchema"])
    for name in EVENTS:
        named = {} if name == "message" else {"event": name}
        shape.validate({**named, "data": "{}", "id": "019a3f2c7b1e4d2a-48213"})
    shape.validate({"event": "message", "data": "{}", "id": "019a3f2c7b1e4d2a-48213"})
    assert not shape.is_valid({"data": "{}"}), "a tick has an id"
    assert not shape.is_valid({"event": "error", "data": "{}"})
