"""Frames: what matters is read, whatever stands beside it, and data stays as sent."""

import json

import msgspec
import pytest

from __tests__.deribit.samples import numbered
from cryptomarket.deribit.messages import Frame

SAMPLES = [
    pytest.param(line, id=where)
    for where, line in numbered("notif_*.jsonl", "replies_*.jsonl", "http_*.jsonl", "ws_*.jsonl", "docs_examples.jsonl")
]


@pytest.mark.parametrize("line", SAMPLES)
def test_every_recorded_message_is_a_frame_with_its_data_as_sent(line: bytes) -> None:
    frame = msgspec.json.decode(line, type=Frame)
    told = json.loads(line)
    assert frame.id == told.get("id")
    assert frame.method == told.get("method", "")
    assert bytes(frame.result) in line
    assert bool(bytes(frame.result)) == ("result" in told)
    if frame.error is not None:
        assert (frame.error.code, frame.error.message) == (told["error"]["code"], told["error"]["message"])
    if frame.params is not None:
        assert bytes(frame.params.data) in line
        assert frame.params.channel == told["params"].get("channel", "")
