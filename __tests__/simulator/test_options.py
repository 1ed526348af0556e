"""Uncertain points of the real exchange are settings; the defaults are the measured or documented values."""

import dataclasses

import pytest

from cryptomarket.simulator.options import SimulatorOptions


def test_defaults_are_the_documented_numbers() -> None:
    options = SimulatorOptions()
    assert (options.max_connections_per_address, options.max_channels_per_call, options.max_request_bytes) == (
        32, 500, 32_768,
    )  # fmt: skip
    assert (options.idle_drop_s, options.signature_window_s, options.max_sessions_per_key) == (60.5, 60.0, 16)
    pools = {name: (pool.cost, pool.size, pool.refill_per_s) for name, pool in options.pools.items()}
    assert pools == {
        "default": (500, 50_000, 10_000),
        "public/get_instruments": (10_000, 500_000, 10_000),
        "subscribe": (3_000, 30_000, 10_000),
    }


def test_options_cannot_be_changed_under_a_running_simulator() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SimulatorOptions().port = 1  # type: ignore[misc]  # that it is refused is the point
