"""Events: one listener can't change what the next one sees."""

import msgspec
import pytest

from cryptomarket.deribit.events import Heard, Held, Lost, PoolEvent, Ready, Refused

EVENTS: list[PoolEvent] = [
    Heard(0, "deribit_price_index.btc_usd", msgspec.Raw(b"{}"), 1),
    Held(0, ("a",)),
    Refused(0, ("a",)),
    Lost(0, ("a",), "the connection broke"),
    Ready(0),
]


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_is_not_changed(event: PoolEvent) -> None:
    with pytest.raises(AttributeError):
        event.slot = 1  # type: ignore[misc]  # that it can't be is the point
    assert event.slot == 0
