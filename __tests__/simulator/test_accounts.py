"""Demo accounts without bound; signatures as Deribit computes them; tokens that end when they should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.simulator.talk import NOW_US
from cryptomarket.simulator.accounts import Account, Accounts, account, http_signature, websocket_signature
from cryptomarket.simulator.refusals import Refusal

SECOND_US = 1_000_000


@pytest.fixture
def accounts() -> Accounts:
    numbers = iter(range(10_000))
    return Accounts(token_life_s=900, window_s=60, max_sessions=16, random_text=lambda size: f"{next(numbers):0{size}}")


def test_the_documented_vector() -> None:
    assert websocket_signature("AMANDASECRECT", "1576074319000", "1iqt2wls", "") == (
        "56590594f97921b09b18f166befe0d1319b198bbcdad7ca73382de2f88fe9aa1"
    )


@given(st.integers(1, 10**11))
def test_every_number_from_one_is_an_account(number: int) -> None:
    found = account(f"demo-{number}")
    assert found == Account(number)
    assert (found.secret, found.email) == (f"demo-{number}-secret", f"demo-{number}@example.com")


@pytest.mark.parametrize("client_id", ["demo-0", "demo-", "demo-01", "demo--1", "demo-1 ", "admin", "", None, 7])
def test_nothing_else_is(client_id: object) -> None:
    assert account(client_id) is None


def test_a_wrong_secret_is_refused_without_data(accounts: Accounts) -> None:
    with pytest.raises(Refusal) as refused:
        accounts.by_secret("demo-1", "demo-2-secret")
    assert (refused.value.code, refused.value.data) == (13004, None)


@pytest.mark.parametrize(("age_s", "accepted"), [(0, True), (59, True), (-59, True), (61, False), (-61, False)])
def test_a_signature_is_good_for_a_minute(accounts: Accounts, age_s: int, accepted: bool) -> None:
    timestamp = str((NOW_US - age_s * SECOND_US) // 1000)
    signature = websocket_signature("demo-1-secret", timestamp, "n", "")

    def check() -> Account:
        return accounts.by_signature(
            "demo-1", timestamp, signature, NOW_US, lambda secret: websocket_signature(secret, timestamp, "n", "")
        )

    if accepted:
        assert check() == Account(1)
    else:
        with pytest.raises(Refusal):
            check()


def test_an_http_signature_covers_the_request() -> None:
    parts = ("demo-1-secret", "1", "n", "GET", "/api/v2/private/get_account_summary?currency=BTC")
    assert http_signature(*parts, "") != http_signature(*parts, "{}")


def test_a_token_has_the_form_of_a_real_one(accounts: Accounts) -> None:
    grant = accounts.grant(Account(1), "", 1, NOW_US)
    expiry_ms, _, rest = grant.access_token.split(".")
    assert int(expiry_ms) == NOW_US // 1000 + 900_000
    assert len(rest) > 100
    assert grant.scope.split() == [
        "account:read", "trade:read", "wallet:read", "block_trade:read", "connection", "mainaccount",
    ]  # fmt: skip


def test_a_narrow_short_scope_is_kept(accounts: Accounts) -> None:
    grant = accounts.grant(Account(1), "account:read connection expires:60", 1, NOW_US)
    assert grant.scope == "account:read connection mainaccount"
    assert grant.expires_us == NOW_US + 60 * SECOND_US


def test_connection_tokens_die_with_the_socket_and_session_tokens_do_not(accounts: Accounts) -> None:
    bound = accounts.grant(Account(1), "", 1, NOW_US)
    free = accounts.grant(Account(1), "session:x", 1, NOW_US)
    accounts.hang_up(1)
    assert accounts.find(bound.access_token, NOW_US) is None
    assert accounts.find(free.access_token, NOW_US) is free


def test_a_token_ends_at_its_time(accounts: Accounts) -> None:
    grant = accounts.grant(Account(1), "", 1, NOW_US)
    assert accounts.find(grant.access_token, NOW_US + 900 * SECOND_US - 1) is grant
    assert accounts.find(grant.access_token, NOW_US + 900 * SECOND_US) is None


def test_refreshing_gives_new_tokens_and_voids_the_old(accounts: Accounts) -> None:
    old = accounts.grant(Account(1), "", 1, NOW_US)
    new = accounts.refresh(old.refresh_token, 1, NOW_US + SECOND_US)
    assert new.access_token != old.access_token
    assert new.refresh_token != old.refresh_token
    assert accounts.find(old.access_token, NOW_US) is None
    with pytest.raises(Refusal):
        accounts.refresh(old.refresh_token, 1, NOW_US)


def test_the_seventeenth_session_evicts_the_oldest(accounts: Accounts) -> None:
    grants = [accounts.grant(Account(1), "session:x", None, NOW_US + turn) for turn in range(17)]
    assert accounts.find(grants[0].access_token, NOW_US) is None
    assert all(accounts.find(grant.access_token, NOW_US) for grant in grants[1:])
