"""What a client proves itself with is shown by nothing."""

from collections.abc import Callable

import pytest

from cryptomarket.client.credentials import AccessToken, ApiKey, KeyPair, Token
from cryptomarket.errors import Unauthenticated
from cryptomarket.secret import Secret


def test_no_secret_can_be_seen() -> None:
    """Promise: neither a credential nor a token shows its secret, however it is printed."""
    pair, key, token = KeyPair("demo-1", "hush"), ApiKey("hush"), AccessToken(Secret("hush"))
    issued = Token(Secret("hush"), "u_1", "person", 60)
    for each in (pair, key, token, issued, pair.client_secret, key.key, token.token):
        assert "hush" not in f"{each!r} {each}"


def test_forms_are_those_of_the_token_endpoint() -> None:
    """Promise: a login sends what RFC 6749 and the contract name, and nothing else."""
    assert KeyPair("demo-1", "hush").form() == {
        "grant_type": "client_credentials", "client_id": "demo-1", "client_secret": "hush"
    }  # fmt: skip
    assert ApiKey("hush").form() == {"grant_type": "api_key", "api_key": "hush"}


@pytest.mark.parametrize("end", ["\r", "\n", " ", "\x00", "é", "\ud800"])
@pytest.mark.parametrize(
    "credentials",
    [AccessToken, ApiKey, lambda text: KeyPair(text, "s"), lambda text: KeyPair("c", Secret(text))],
    ids=["token", "key", "id", "secret"],
)
def test_what_can_be_none_is_refused_unrepeated(credentials: Callable[[str], object], end: str) -> None:
    """Promise: a token, a key, either half of a pair with what none has is nobody's, at once; nothing repeats it."""
    with pytest.raises(Unauthenticated, match="copied with a line end") as refused:
        credentials(f"hush{end}")
    assert "hush" not in str(refused.value)
    assert refused.value.__context__ is None
    with pytest.raises(Unauthenticated, match="is empty"):
        credentials("")
