"""Options that can't be are refused with a sentence."""

import pytest

from cryptomarket.deribit.options import PoolOptions


@pytest.mark.parametrize(("size", "login_slots"), [(10, 0), (2, 2), (1, 1)])
def test_there_is_a_slot_for_logins_and_one_for_data(size: int, login_slots: int) -> None:
    with pytest.raises(ValueError, match="login slot"):
        PoolOptions(ws_url="ws://127.0.0.1", size=size, login_slots=login_slots)


def test_the_exchange_takes_no_shorter_heartbeat() -> None:
    with pytest.raises(ValueError, match="10 seconds"):
        PoolOptions(ws_url="ws://127.0.0.1", heartbeat_s=9)
