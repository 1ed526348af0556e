"""What travels opens for nobody who lacks one of the three keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.accounts.seal import Seal, SealBroken
from cryptomarket.secret import Sealed, Secret

NOW_S = 1_768_768_182
ONE_TIME_KEY = bytes(range(32))


def seal(one_time_key: bytes = ONE_TIME_KEY, seal_secret: str = "seal secret", login_id: str = "login-1") -> Seal:
    return Seal(one_time_key=one_time_key, seal_secret=Secret(seal_secret), login_id=login_id)


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_pair_comes_out_as_it_went_in(client_id: str, secret: str) -> None:
    """Any text survives the journey unchanged."""
    opened_id, opened = seal().open_pair(seal().close_pair(client_id, Secret(secret), now_s=NOW_S))
    assert (opened_id, opened.reveal()) == (client_id, secret)


@pytest.mark.parametrize(
    "other",
    [
        seal(one_time_key=bytes(32)),
        seal(seal_secret="seal secret?"),
        seal(login_id="login-2"),
    ],
    ids=["one-time key", "SEAL_SECRET", "login id"],
)
def test_each_of_the_three_keys_is_needed(other: Seal) -> None:
    """Redis knows two of them; without the third nothing opens."""
    sealed = seal().close_pair("demo-1", Secret("demo-1-secret"), now_s=NOW_S)
    with pytest.raises(SealBroken):
        other.open_pair(sealed)


def test_a_changed_text_does_not_open() -> None:
    """Nothing of a letter can be changed on its way, nor its answer."""
    for position in range(0, 100, 7):
        token = bytearray(seal().close_pair("demo-1", Secret("s"), now_s=NOW_S).token)
        token[position] ^= 1
        with pytest.raises(SealBroken):
            seal().open_pair(Sealed(bytes(token)))
    with pytest.raises(SealBroken):
        seal().open_answer(Sealed(b""))


def test_a_letter_does_not_pass_for_an_answer() -> None:
    """Sending a letter back is no login."""
    with pytest.raises(SealBroken):
        seal().open_answer(seal().close_pair("demo-1", Secret("s"), now_s=NOW_S))
    with pytest.raises(SealBroken):
        seal().open_pair(seal().close_answer(b"{}", now_s=NOW_S))


def test_the_sealed_text_shows_nothing() -> None:
    """Neither the id nor the secret is in what travels, and the same pair never looks the same twice."""
    first, second = (seal().close_pair("demo-1", Secret("demo-1-secret"), now_s=NOW_S) for _ in range(2))
    assert b"demo" not in first.token
    assert first.token != second.token
    assert "gAAAA" not in repr(first)
