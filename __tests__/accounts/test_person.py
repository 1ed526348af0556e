"""Identities are opaque and stable."""

import random
import re

from cryptomarket.accounts.person import Person, Profile, new_user_id


def test_a_user_id_is_opaque_and_says_nothing_of_the_account() -> None:
    """130 random bits in a form that fits into URLs and headers; the same source gives the same, another another."""
    first = new_user_id(random.Random(1).randbytes)
    assert re.fullmatch(r"u_[a-z2-7]{26}", first)
    assert first == new_user_id(random.Random(1).randbytes)
    assert first != new_user_id(random.Random(2).randbytes)


def test_a_new_profile_changes_the_description_and_never_the_identity() -> None:
    """Someone who changes his mail address at the exchange stays the same user."""
    person = Person("u_1", "test", 7, "old@example.com", "n", "s", "main", first_seen_ms=1, last_seen_ms=1)
    described = person.described(Profile(7, "new@example.com", None, "s2", "subaccount"), last_seen_ms=9)
    assert described == Person("u_1", "test", 7, "new@example.com", None, "s2", "subaccount", 1, 9)
