"""Names: what can be one, and under which key it is looked up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.market.instruments import MAX_NAME_LENGTH, folded, looks_like_a_name, spellings

NAMES = [
    "btc_usd", "drbfix-btc_usdc", "BTC-PERPETUAL", "BTC_USDC", "ETH_BTC", "XRP_USDC-30JUN26-0d625-C",
    "BTC-27DEC26-50000-C", "BTC-FS-19MAY26_PERP", "BTC-CS-25DEC26-54000_55000", "BTCDVOL_USDC-26APR23",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_name_of_the_exchange_looks_like_one_in_any_case(name: str) -> None:
    """Promise: users may write names in any case."""
    assert looks_like_a_name(name)
    assert looks_like_a_name(name.lower())
    assert looks_like_a_name(name.upper())


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "btc usd",
        "btc_usd ",
        "\nbtc_usd",
        "btc_usd\x00",
        "btc/usd",
        "../x",
        "БТЦ_usd",
        "-",
        "_",
        "btc,eth",
        "x" * (MAX_NAME_LENGTH + 1),
    ],
)
def test_what_no_name_can_be_is_not_asked_of_the_exchange(name: str) -> None:
    """Promise: control characters and other rubbish stop at the door."""
    assert not looks_like_a_name(name)


@given(st.text(max_size=80))
def test_no_text_breaks_the_look(text: str) -> None:
    """Promise: whatever is sent as a name, what passes is short, printable ASCII."""
    if looks_like_a_name(text):
        assert text.isascii()
        assert text.isprintable()
        assert len(text) <= MAX_NAME_LENGTH


def test_the_key_of_a_name_forgets_its_case_and_nothing_else() -> None:
    """Promise: linear options keep their small `d` where it matters, and are found in any case."""
    assert folded("XRP_USDC-30JUN26-0d625-C") == folded("xrp_usdc-30jun26-0D625-c")
    assert folded("BTC-PERPETUAL") != folded("BTC_PERPETUAL")


@pytest.mark.parametrize(
    ("typed", "tried"),
    [
        ("btc-perpetual", ["BTC-PERPETUAL", "btc-perpetual"]),
        ("BTC-27DEC26", ["BTC-27DEC26"]),
        ("XRP_USDC-30JUN26-0d625-C", ["XRP_USDC-30JUN26-0d625-C"]),
        ("xrp_usdc-30jun26-0D625-c", ["XRP_USDC-30JUN26-0d625-C", "xrp_usdc-30jun26-0D625-c"]),
        ("MATIC_USDC-9MAR24-1D02-C", ["MATIC_USDC-9MAR24-1d02-C", "MATIC_USDC-9MAR24-1D02-C"]),
    ],
)
def test_a_strikes_decimal_point_stays_small(typed: str, tried: list[str]) -> None:
    assert list(spellings(typed)) == tried
