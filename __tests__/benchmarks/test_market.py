"""What the exchange says in a benchmark: readable for the simulator, and the gateway's own bytes for the rivals."""

import json
from itertools import pairwise
from pathlib import Path

import msgspec

from benchmarks.market import FIFTY, TEN, Script, data_of, frame, record
from cryptomarket.simulator.playback import read_recording


def test_a_recording_has_the_rate_that_was_asked_for(tmp_path: Path) -> None:
    """Promise: the simulator can play it, and says so many things a second, evenly, in turn over the tickers."""
    played = read_recording(record(Script(50, TEN, silent=FIFTY[-2:]), 2, tmp_path / "recording"))
    talking = [one for one in played if one.channel.split(".")[1] in TEN]
    assert len(talking) == 100
    assert len(played) - len(talking) == 2
    assert [one.offset_us for one in talking] == [number * 20_000 for number in range(100)]
    assert [one.channel.split(".")[1] for one in talking[:10]] == list(TEN)


def test_every_notification_says_something_new() -> None:
    """Promise: none is taken for a repeat and left out."""
    told = [msgspec.json.encode(data_of(TEN[0], number, 0)) for number in range(1000)]
    assert all(one != other for one, other in pairwise(told))


def test_frames_form_the_chain_that_readers_check() -> None:
    """Promise: rivals are held to the same check as the product: each event names its ticker's one before."""
    script = Script(50, TEN)
    events = [json.loads(frame(script, number, 1_790_165_113_000_000).split(b"data: ")[1]) for number in range(30)]
    last_seq: dict[str, int] = {}
    for event in events:
        assert event["prev_seq"] == last_seq.get(event["ticker"])
        last_seq[event["ticker"]] = event["seq"]
    assert [event["seq"] for event in events] == list(range(1, 31))


def test_padding_makes_an_event_as_large_as_asked_for() -> None:
    """Promise: events of 10 kB are events of 10 kB."""
    script = Script(50, TEN[:1], padding=9_000)
    assert 9_500 < len(frame(script, 0, 1_790_165_113_000_000)) < 9_900
