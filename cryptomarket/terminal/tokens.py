"""Where a token is kept between commands: the user's keyring, or a file that he alone may read. Never the secret."""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol

import msgspec

from cryptomarket.client import Secret
from cryptomarket.key_files import write_privately

_SERVICE = "cryptomarket"


class Kept(msgspec.Struct, frozen=True):
    """A token of one gateway, and whose it is."""

    access_token: str
    user_id: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"Kept({self.user_id})"


_kept = msgspec.json.Decoder(Kept)
_all = msgspec.json.Decoder(dict[str, Kept])


class TokenStore(Protocol):
    """Keeps one token per gateway."""

    place: str

    def get(self, url: str) -> Kept | None: ...

    def put(self, url: str, kept: Kept) -> None: ...

    def remove(self, url: str) -> None: ...


class FileStore:
    """A file of mode 0600."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = str(path)

    def get(self, url: str) -> Kept | None:
        """The token of a gateway."""
        return self._read().get(url)

    def put(self, url: str, kept: Kept) -> None:
        """Keeps it."""
        self._write({**self._read(), url: kept})

    def remove(self, url: str) -> None:
        """Forgets it."""
        left = self._read()
        if left.pop(url, None) is not None:
            self._write(left)

    def _read(self) -> dict[str, Kept]:
        try:
            return _all.decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except msgspec.MsgspecError:
            # What somebody has spoilt is as good as nothing, and is written anew at the next login.
            return {}

    def _write(self, kept: Mapping[str, Kept]) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_privately(self._path, msgspec.json.encode(kept).decode())


class Ring(Protocol):
    """What of a keyring is used (github.com/jaraco/keyring)."""

    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...

    def delete_password(self, service: str, username: str) -> None: ...


class RingStore:
    """The keyring of the desktop."""

    place = "the keyring"

    def __init__(self, ring: Ring) -> None:
        self._ring = ring

    def get(self, url: str) -> Kept | None:
        """The token of a gateway."""
        text = self._ring.get_password(_SERVICE, url)
        return None if text is None else _kept.decode(text)

    def put(self, url: str, kept: Kept) -> None:
        """Keeps it."""
        self._ring.set_password(_SERVICE, url, msgspec.json.encode(kept).decode())

    def remove(self, url: str) -> None:
        """Forgets it."""
        if self.get(url) is not None:
            self._ring.delete_password(_SERVICE, url)


def token_store(environment: Mapping[str, str] = os.environ) -> TokenStore:
    """The keyring where there is one that can keep anything, else the file."""
    if ring := _ring():
        return RingStore(ring)
    base = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".config")
    return FileStore(Path(base) / "cryptomarket" / "tokens.json")


def _ring() -> Ring | None:
    try:
        keyring = import_module("keyring")
    except ImportError:
        return None
    ring = keyring.get_keyring()
    # What has no place to keep anything has the priority zero (keyring.backends.fail), or keeps nothing (null).
    is_usable = ring.priority > 0 and not type(ring).__module__.endswith(".null")
    usable: Ring | None = ring if is_usable else None
    return usable


def secret_of(kept: Kept) -> Secret:
    """The token, in the type that nothing shows."""
    return Secret(kept.access_token)
