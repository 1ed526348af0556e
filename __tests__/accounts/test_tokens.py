"""A token is believed when we signed it, for this exchange, and it is not over."""

import base64
import json
from typing import Any

import jwt
import pytest

from __tests__.accounts.world import TOKEN_KEY
from cryptomarket.accounts.tokens import Scope, Tokens, read_scope, scope_text
from cryptomarket.errors import StartRefused, Unauthenticated
from cryptomarket.secret import Secret

NOW_S = 1_768_768_182.5
PERSON = frozenset({Scope.PERSON})


def tokens(*, key: str = TOKEN_KEY, exchange: str = "simulator") -> Tokens:
    return Tokens(key=Secret(key), exchange=exchange, life_s=3600, new_id=lambda: "jti-1")


def payload(**changes: object) -> dict[str, Any]:
    """What a good token says, with changes; None removes."""
    good: dict[str, Any] = {
        "iss": "cryptomarket",
        "sub": "u_1",
        "aud": "simulator",
        "exp": int(NOW_S) + 3600,
        "iat": int(NOW_S),
        "jti": "jti-1",
        "scope": "person",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def test_an_issued_token_says_who_may_do_what_until_when() -> None:
    """Every claim comes back as it was given."""
    both = frozenset({Scope.PERSON, Scope.OPERATOR})
    issued = tokens().issue("u_1", both, now_s=NOW_S, origin="key:k1")
    read = tokens().read(issued.access_token, now_s=NOW_S)
    assert read == issued.claims
    assert (read.user_id, read.scope, read.jti, read.origin) == ("u_1", both, "jti-1", "key:k1")
    assert (read.issued_s, read.expires_s, issued.expires_in_s) == (int(NOW_S), int(NOW_S) + 3600, 3600)
    assert issued.access_token not in repr(issued)


def test_a_token_ends_in_its_second() -> None:
    """Alive just before, over at it; the clock is an argument."""
    issued = tokens().issue("u_1", PERSON, now_s=NOW_S)
    assert tokens().read(issued.access_token, now_s=issued.claims.expires_s - 0.001).user_id == "u_1"
    with pytest.raises(Unauthenticated, match="expired"):
        tokens().read(issued.access_token, now_s=issued.claims.expires_s)


@pytest.mark.parametrize(
    "foreign",
    [
        jwt.encode(payload(aud="production"), TOKEN_KEY),
        jwt.encode(payload(aud=["simulator", "production"]), TOKEN_KEY),
        jwt.encode(payload(iss="somebody"), TOKEN_KEY),
        jwt.encode(payload(), "another key that is long enough for it"),
        jwt.encode(payload(), TOKEN_KEY + " and more, for a longer digest of it all", algorithm="HS512"),
        jwt.encode(payload(), TOKEN_KEY * 3, algorithm="HS512"),
        jwt.encode(payload(), "", algorithm="none"),
        *(jwt.encode(payload(**{name: None}), TOKEN_KEY) for name in payload()),
        jwt.encode(payload(sub=7), TOKEN_KEY),
        jwt.encode(payload(exp="soon"), TOKEN_KEY),
        jwt.encode(payload(exp=True), TOKEN_KEY),
        jwt.encode(payload(scope=["operator"]), TOKEN_KEY),
        jwt.encode(payload(exp=10**400), TOKEN_KEY),
        jwt.encode(payload(exp=-1), TOKEN_KEY),
        "",
        "not a token",
        "a.b.c",
        "ä.ö.ü",
        "x" * 100_000,
    ],
)
def test_everything_else_is_nobody(foreign: str) -> None:
    """Another exchange's token, another key's, none's, one with a missing or strange claim: 401, and no hint which."""
    with pytest.raises(Unauthenticated):
        tokens().read(foreign, now_s=NOW_S)


def test_a_changed_token_is_nobodys() -> None:
    """Writing `operator` into the middle of one's own token changes nothing but its validity."""
    header, _, signature = tokens().issue("u_1", PERSON, now_s=NOW_S).access_token.split(".")
    for changed in (payload(scope="operator"), payload(sub="u_2")):
        middle = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
        with pytest.raises(Unauthenticated):
            tokens().read(f"{header}.{middle}.{signature}", now_s=NOW_S)
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    with pytest.raises(Unauthenticated):
        tokens().read(f"{unsigned}.{middle}.", now_s=NOW_S)


def test_what_was_read_before_is_judged_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a signature is checked once and remembered, up to a bound; the end of a token is looked at every time,
    and what is not ours is never taken for what was.
    """
    monkeypatch.setattr("cryptomarket.accounts.tokens.REMEMBERED", 2)
    checked: list[str] = []

    def decode(token: str, *given: object, **named: object) -> object:
        checked.append(token)
        return decoded(token, *given, **named)  # type: ignore[arg-type]

    decoded = jwt.decode
    monkeypatch.setattr(jwt, "decode", decode)
    door = tokens()
    one, two, three = (door.issue(f"u_{number}", PERSON, now_s=NOW_S) for number in range(3))
    for each in (one, two, one, three, one, three, two):
        assert door.read(each.access_token, now_s=NOW_S) == each.claims
    assert checked == [each.access_token for each in (one, two, three, two)]
    with pytest.raises(Unauthenticated, match="expired"):
        door.read(two.access_token, now_s=two.claims.expires_s)
    for _ in range(2):
        with pytest.raises(Unauthenticated, match="not valid"):
            door.read(two.access_token[:-2], now_s=NOW_S)
    assert len(checked) == 6


def test_a_short_key_is_refused_at_the_start() -> None:
    """A key that can be guessed signs nothing (RFC 7518, 3.2)."""
    with pytest.raises(StartRefused, match="32 bytes"):
        tokens(key="short")


def test_unknown_scopes_give_nothing() -> None:
    """A scope of a later version, or of a mistake, opens no door."""
    assert read_scope("person root  operators") == {Scope.PERSON}
    assert read_scope("") == frozenset()
    assert scope_text(frozenset(Scope)) == "person operator"


def test_a_token_dies_with_itself_and_with_its_key() -> None:
    """The two subjects a stream must listen for, and no others; an empty subject is nobody's."""
    claims = tokens().issue("u_1", PERSON, now_s=NOW_S, origin="key:k1").claims
    assert claims.dies_with("jti-1")
    assert claims.dies_with("key:k1")
    assert not claims.dies_with("key:k2")
    assert not tokens().issue("u_1", PERSON, now_s=NOW_S).claims.dies_with("")
