"""Scripts are read strictly and run in their time."""

import json
from typing import get_args

import pytest

from cryptomarket.simulator.faults import BadScript, Fault, FaultKind, Faults, read_script, spoil_type

SECOND_US = 1_000_000


@pytest.mark.parametrize("before_after", [("", ""), ("[", "]"), ('{"faults": [', "]}")], ids=["one", "list", "object"])
def test_one_fault_a_list_or_an_object(before_after: tuple[str, str]) -> None:
    fault = '{"kind": "silence", "at_s": 2, "duration_s": 3, "channels": ["ticker.*"]}'
    text = fault.join(before_after).encode()
    assert read_script(text) == (Fault(kind="silence", at_s=2.0, duration_s=3.0, channels=("ticker.*",)),)


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_every_kind_is_accepted(kind: str) -> None:
    assert read_script(json.dumps({"kind": kind}).encode())[0].kind == kind


@pytest.mark.parametrize("text", ["", "{", "7", '{"kind":"nonsense"}', '{"kind":"drop","at":1}', '[{"at_s":1}]'])
def test_a_script_with_a_mistake_is_refused(text: str) -> None:
    with pytest.raises(BadScript):
        read_script(text.encode())


def test_faults_start_and_end_in_their_time() -> None:
    faults = Faults()
    faults.add([Fault(kind="silence", at_s=2, duration_s=3), Fault(kind="drop", at_s=1)], 0)
    assert faults.due_us() == SECOND_US
    assert [running.fault.kind for running in faults.turn(SECOND_US)] == ["drop"]
    assert not faults.on("silence")
    faults.turn(2 * SECOND_US)
    assert len(faults.on("silence")) == 1
    assert faults.due_us() == 5 * SECOND_US
    faults.turn(5 * SECOND_US)
    assert not faults.on("silence")
    assert faults.due_us() is None
    assert faults.report() == []


def test_a_count_uses_a_fault_up() -> None:
    faults = Faults()
    (running,) = faults.add([Fault(kind="refuse", count=2)], 0)
    faults.turn(0)
    running.applied = 2
    assert not faults.on("refuse")


def test_clearing_ends_what_is_on_and_what_is_to_come() -> None:
    faults = Faults()
    faults.add([Fault(kind="silence"), Fault(kind="drop", at_s=9)], 0)
    faults.turn(0)
    faults.clear(SECOND_US)
    assert [running.phase for running in faults.turn(SECOND_US)] == ["over"]
    assert faults.due_us() is None


def test_a_price_becomes_text() -> None:
    assert spoil_type(b'{"price":8.55e4,"index_name":"btc_usd"}') == b'{"price":"8.55e4x","index_name":"btc_usd"}'
