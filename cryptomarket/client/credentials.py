"""What a client proves itself with. Secrets are kept as `Secret`, which nothing shows."""

from dataclasses import dataclass

from cryptomarket.client.words import proof_of
from cryptomarket.secret import Secret


def _secret(what: str, text: Secret | str) -> Secret:
    return Secret(proof_of(what, text.reveal() if isinstance(text, Secret) else text))


class KeyPair:
    """A Deribit API key: the gateway asks Deribit whose it is, and forgets the secret. The client keeps it, so that it
    can log in again when its token has expired. Raises Unauthenticated for what can be none.
    """

    __slots__ = ("client_id", "client_secret")

    def __init__(self, client_id: str, client_secret: Secret | str) -> None:
        self.client_id = proof_of("The client id", client_id)
        self.client_secret = _secret("The client secret", client_secret)

    def form(self) -> dict[str, str]:
        """The body of a token request (RFC 6749, 4.4.2)."""
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret.reveal(),
        }


class ApiKey:
    """A gateway API key, made by `cryptomarket keys create`. Raises Unauthenticated for what can be none."""

    __slots__ = ("key",)

    def __init__(self, key: Secret | str) -> None:
        self.key = _secret("The API key", key)

    def form(self) -> dict[str, str]:
        """The body of a token request."""
        return {"grant_type": "api_key", "api_key": self.key.reveal()}


class AccessToken:
    """A token that somebody else was given. When it has expired, so has the client.

    Raises Unauthenticated for what can be none.
    """

    __slots__ = ("token",)

    def __init__(self, token: Secret | str) -> None:
        self.token = _secret("The token", token)


Credentials = KeyPair | ApiKey | AccessToken


@dataclass(frozen=True, slots=True)
class Token:
    """What a login gives: the token, whose it is, what it is good for, and for how many seconds."""

    access_token: Secret
    user_id: str
    scope: str
    expires_in_s: int
