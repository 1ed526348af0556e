"""A recording is played with its own timing and its own number tokens."""

import json
import re
from pathlib import Path

import pytest

from __tests__.simulator.talk import DATA, NOW_US, Talk
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.outgoing import Send
from cryptomarket.simulator.playback import BadRecording, Playback, Played, read_recording

RECORDING = DATA / "notif_ticker_raw_2021.jsonl"
CHANNEL = "deribit_price_index.btc_usd"


def frame(at_ms: int, price: str) -> str:
    return (
        '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"deribit_price_index.btc_usd",'
        f'"data":{{"timestamp":{at_ms},"price":{price},"index_name":"btc_usd"}}}}}}'
    )


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "recording.jsonl"
    path.write_text("\n".join([frame(1_000, "8.55e4"), "", frame(1_250, "85501"), frame(4_000, "85502.10")]))
    return path


def test_every_sample_can_be_read() -> None:
    """Those that hold notifications; a file without any is refused with a sentence."""
    for path in sorted(DATA.glob("notif_*.jsonl")):
        if path.name == "notif_heartbeat.jsonl":
            with pytest.raises(BadRecording, match="no notification"):
                read_recording(path)
        else:
            offsets = [played.offset_us for played in read_recording(path)]
            assert offsets == sorted(offsets)
            assert offsets[0] == 0


def test_gaps_and_tokens_are_those_of_the_recording(recording: Path) -> None:
    talk = Talk(SimulatorOptions(credits=False, playback=recording))
    assert talk.subscribe(CHANNEL) == [CHANNEL]
    arrived: list[int] = []
    while (due_us := talk.exchange.due_us()) is not None and due_us <= NOW_US + 5_000_000:
        talk.now_us = max(due_us, talk.now_us + 1)
        outgoing = talk.exchange.pass_time(talk.now_us)
        arrived += [talk.now_us - NOW_US for order in outgoing if isinstance(order, Send)]
        talk.take(outgoing)
    assert [round(at_us / 1e5) for at_us in arrived] == [0, 2, 30]
    texts = [order.text.decode() for order in talk.orders if isinstance(order, Send)][1:]
    assert texts == [frame(1_000, "8.55e4"), frame(1_250, "85501"), frame(4_000, "85502.10")]


def test_methods_answer_what_the_recording_said_last(recording: Path) -> None:
    talk = Talk(SimulatorOptions(credits=False, playback=recording))
    talk.pass_time(5)
    assert talk.result("public/get_index_price", index_name="btc_usd")["index_price"] == 85502.10


def test_other_channels_follow_the_seed(recording: Path) -> None:
    talk = Talk(SimulatorOptions(credits=False, playback=recording))
    talk.subscribe("deribit_price_index.eth_usd")
    talk.pass_time(5)
    assert len(talk.notices("deribit_price_index.eth_usd")) >= 5


def test_speed_and_loop(recording: Path) -> None:
    talk = Talk(SimulatorOptions(credits=False, playback=recording, playback_speed=10, playback_loop=True))
    talk.subscribe(CHANNEL)
    talk.pass_time(5)
    prices = [data["price"] for data in talk.notices(CHANNEL)]
    assert len(prices) > 9
    assert prices[:6] == [85500, 85501, 85502.1] * 2


def test_restamping_moves_timestamps_and_nothing_else(recording: Path) -> None:
    playback = Playback(read_recording(recording), speed=1, loop=False, restamp=True, now_us=NOW_US)
    played = playback.advance(NOW_US + 10_000_000)
    stamps = [json.loads(item.data)["timestamp"] for item in played]
    assert stamps == [NOW_US // 1000 + offset for offset in (0, 250, 3_000)]
    plain = [re.sub(rb'"timestamp":\d+', b"", item.data) for item in played]
    assert plain == [re.sub(rb'"timestamp":\d+', b"", item.data) for item in read_recording(recording)]


def test_a_log_of_what_was_sent_can_be_played(tmp_path: Path) -> None:
    """The entries of `/simulator/sent`, one per line, are a recording with times of arrival."""
    path = tmp_path / "sent.jsonl"
    entries = [{"sent_us": 5_000_000 + 400_000 * turn, "frame": frame(1_000, f"{turn}.5")} for turn in range(3)]
    path.write_text("\n".join(map(json.dumps, entries)))
    assert [played.offset_us for played in read_recording(path)] == [0, 400_000, 800_000]


def test_an_unreadable_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text(frame(1, "1") + "\n{oops")
    with pytest.raises(BadRecording, match="line 2"):
        read_recording(path)


def test_a_recording_of_2021_is_heard_whole() -> None:
    talk = Talk(SimulatorOptions(credits=False, playback=RECORDING))
    talk.login()
    recorded: list[Played] = read_recording(RECORDING)
    channels = sorted({played.channel for played in recorded})
    assert sorted(talk.subscribe(*channels)) == channels
    talk.pass_time(recorded[-1].offset_us / 1e6 + 1)
    for channel in channels:
        assert talk.notices(channel) == [json.loads(item.data) for item in recorded if item.channel == channel]
