"""The person behind a Deribit key, as the exchange describes him and as the gateway knows him."""

import base64
from collections.abc import Callable

import msgspec

RandomBytes = Callable[[int], bytes]

_USER_ID_CHARACTERS = 26


class Profile(msgspec.Struct, frozen=True):
    """What the exchange says of an account. Fields that it did not send are None."""

    deribit_id: int
    email: str | None = None
    username: str | None = None
    system_name: str | None = None
    type: str | None = None


class Person(msgspec.Struct, frozen=True):
    """A profile with the identity that the gateway gave it. Unique by exchange and deribit_id."""

    user_id: str
    exchange: str
    deribit_id: int
    email: str | None
    username: str | None
    system_name: str | None
    type: str | None
    first_seen_ms: int
    last_seen_ms: int

    def described(self, profile: Profile, *, last_seen_ms: int) -> "Person":
        return msgspec.structs.replace(self, **msgspec.structs.asdict(profile), last_seen_ms=last_seen_ms)


def new_user_id(random_bytes: RandomBytes) -> str:
    """Opaque: nothing of the exchange's account can be read from it."""
    text = base64.b32encode(random_bytes(20)).decode("ascii").lower()
    return f"u_{text[:_USER_ID_CHARACTERS]}"
