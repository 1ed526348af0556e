"""What is listed looks like Deribit's listing of the day."""

from datetime import UTC, datetime

import pytest

from __tests__.simulator.talk import NOW_US
from cryptomarket.simulator.catalogue import expiries, listings, spell_expiry

NOW_MS = NOW_US // 1000


def test_every_kind_is_listed_with_names_as_deribit_spells_them() -> None:
    found = {listing.name: listing for listing in listings(NOW_MS, {})}
    assert {listing.kind for listing in found.values()} == {"future", "option", "spot", "future_combo", "option_combo"}
    for name in ("BTC-PERPETUAL", "ETH-PERPETUAL", "SOL_USDC-PERPETUAL", "BTC_USDC", "ETH_BTC", "BTC-25DEC26",
                 "BTC-25DEC26-80000-C", "XRP_USDC-27NOV26-2d125-P", "BTC-FS-27NOV26_PERP"):  # fmt: skip
        assert name in found
    assert "." not in "".join(found), "a dot would break channel names"


def test_ids_are_unique() -> None:
    ids = [listing.instrument_id for listing in listings(NOW_MS, {})]
    assert len(ids) == len(set(ids))


def test_nothing_listed_has_expired_and_all_expire_at_eight() -> None:
    for expiry in expiries(datetime(2026, 11, 21, 9, tzinfo=UTC)):
        assert expiry.at is not None
        assert expiry.at > datetime(2026, 11, 21, 9, tzinfo=UTC)
        assert (expiry.at.hour, expiry.at.minute) == (8, 0)


@pytest.mark.parametrize(("day", "spelled"), [(5, "5AUG23"), (27, "27AUG23")])
def test_the_day_has_no_leading_zero(day: int, spelled: str) -> None:
    assert spell_expiry(datetime(2023, 8, day, tzinfo=UTC)) == spelled


def test_there_is_a_quiet_class_that_never_traded() -> None:
    quiet = [listing for listing in listings(NOW_MS, {}) if listing.period_s == 3600.0]
    assert len(quiet) > 20
    assert all(listing.kind == "option" and listing.trades_s is None for listing in quiet)


def test_activity_wins_over_the_classes() -> None:
    found = {item.name: item for item in listings(NOW_MS, {"BTC-*": 0.1, "*": 9.0})}
    assert found["BTC-PERPETUAL"].period_s == 0.1
    assert found["ETH-PERPETUAL"].period_s == 9.0
