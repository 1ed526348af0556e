"""How a key pair travels from the door to the exchange session: closed under keys that no single place holds.

Both Fernet keys of a login are derived (HKDF, RFC 5869) from a one-time key, which waits in the cache and is read
once, from SEAL_SECRET, which is never in Redis, and from the login's id. Whoever reads Redis, even all of it and at
the right moment, opens nothing without SEAL_SECRET; whoever knows SEAL_SECRET opens nothing after the key was read.
In the embedded process both live in one memory, and the seal only limits how long the secret exists.
"""

import base64

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cryptomarket.errors import CryptomarketError
from cryptomarket.secret import Sealed, Secret

ONE_TIME_KEY_BYTES = 32


class SealBroken(CryptomarketError):
    """The text does not open under these keys: wrong or late keys, or it was changed on its way."""


class Seal:
    """The seal of one login. The letter and its answer have keys of their own, so neither passes for the other."""

    __slots__ = ("_answers", "_letters")

    def __init__(self, *, one_time_key: bytes, seal_secret: Secret, login_id: str) -> None:
        self._letters = _fernet(one_time_key, seal_secret, f"letter {login_id}")
        self._answers = _fernet(one_time_key, seal_secret, f"answer {login_id}")

    def close_pair(self, client_id: str, secret: Secret, *, now_s: int) -> Sealed:
        return Sealed(self._letters.encrypt_at_time(msgspec.json.encode((client_id, secret.reveal())), now_s))

    def open_pair(self, sealed: Sealed) -> tuple[str, Secret]:
        """Client id and secret. Raises SealBroken."""
        try:
            client_id, secret = msgspec.json.decode(self._letters.decrypt(sealed.token), type=tuple[str, str])
        except (InvalidToken, msgspec.MsgspecError):
            raise SealBroken("the letter of a login did not open") from None
        return client_id, Secret(secret)

    def close_answer(self, body: bytes, *, now_s: int) -> Sealed:
        return Sealed(self._answers.encrypt_at_time(body, now_s))

    def open_answer(self, sealed: Sealed) -> bytes:
        """The answer's body. Raises SealBroken."""
        try:
            return self._answers.decrypt(sealed.token)
        except InvalidToken:
            raise SealBroken("the answer to a login did not open") from None


def _fernet(one_time_key: bytes, seal_secret: Secret, purpose: str) -> Fernet:
    derivation = HKDF(
        algorithm=SHA256(),
        length=32,
        salt=seal_secret.reveal().encode(),
        info=f"cryptomarket login 1 {purpose}".encode(),
    )
    return Fernet(base64.urlsafe_b64encode(derivation.derive(one_time_key)))
