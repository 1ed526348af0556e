"""Orders to sockets are values: they are shared, so nobody may change one."""

import dataclasses

import pytest

from cryptomarket.simulator.outgoing import Close, Outgoing, Send, SendBytes, Stall


@pytest.mark.parametrize(
    "order", [Send((1,), b"x"), SendBytes(1, b"x", breaks_protocol=True), Close(1, 4000), Stall(1, on=True)]
)
def test_an_order_is_a_value(order: Outgoing) -> None:
    assert dataclasses.replace(order) == order
    for field in dataclasses.fields(order):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(order, field.name, None)
