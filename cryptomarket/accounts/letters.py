"""What passes between the door and the exchange session during one login."""

from enum import StrEnum

import msgspec

from cryptomarket.accounts.person import Profile

BOX = "logins"
# The one-time key waits this long for the one who opens the letter.
KEY_LIFE_S = 15.0


class LoginLetter(msgspec.Struct, frozen=True):
    """`sealed` is a Fernet token of the key pair; what opens it is not in the letter."""

    login_id: str
    sealed: str


class Outcome(StrEnum):
    """How the exchange answered. Everything but KNOWN is no login."""

    KNOWN = "known"
    WRONG_PAIR = "wrong_pair"
    NOT_ALLOWED = "not_allowed"
    UNAVAILABLE = "unavailable"


class LoginAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """`profile` is there exactly when the outcome is KNOWN. Travels sealed, since it holds a name and an address."""

    outcome: Outcome
    profile: Profile | None = None
    detail: str = ""
    retry_after_s: float = 0.0


def one_time_key_name(login_id: str) -> str:
    return f"login-key:{login_id}"
