"""Tokens are kept where their owner alone can read them."""

import stat
import sys
from pathlib import Path

import keyring.backend
import keyring.backends.fail
import keyring.backends.null
import pytest

from cryptomarket.terminal.tokens import FileStore, Kept, RingStore, secret_of, token_store

KEPT = Kept("hush", "u_1")


class Drawer(keyring.backend.KeyringBackend):
    """A keyring in memory, of the library's own kind."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library says no types there
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


def test_a_file_is_private_and_has_one_token_per_gateway(tmp_path: Path) -> None:
    """Promise: mode 0600 in a folder of 0700, also when others could read the file before; others' tokens stay."""
    store = FileStore(tmp_path / "config" / "tokens.json")
    assert store.get("http://a") is None
    store.put("http://a", KEPT)
    (tmp_path / "config" / "tokens.json").chmod(0o644)
    store.put("http://b", Kept("b", "u_2"))
    assert stat.S_IMODE((tmp_path / "config" / "tokens.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "config").stat().st_mode) == 0o700
    store.remove("http://b")
    store.remove("http://c")
    assert (store.get("http://a"), store.get("http://b")) == (KEPT, None)
    (tmp_path / "config" / "tokens.json").write_text("{")
    assert store.get("http://a") is None


def test_a_keyring_is_preferred_where_it_can_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a usable keyring is used; without one, and without the library, it is the file of the user's folder."""
    drawer = Drawer()
    monkeypatch.setattr(keyring, "get_keyring", lambda: drawer)
    store = token_store({"HOME": str(tmp_path)})
    assert isinstance(store, RingStore)
    store.put("http://a", KEPT)
    assert store.get("http://a") == KEPT
    assert store.get("http://b") is None
    store.remove("http://a")
    store.remove("http://a")
    assert drawer.kept == {}
    for kind in (keyring.backends.fail.Keyring, keyring.backends.null.Keyring):
        useless = kind()
        monkeypatch.setattr(keyring, "get_keyring", lambda each=useless: each)
        assert token_store({"HOME": str(tmp_path)}).place == str(tmp_path / ".config/cryptomarket/tokens.json")
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert token_store({"XDG_CONFIG_HOME": str(tmp_path)}).place == str(tmp_path / "cryptomarket/tokens.json")


def test_a_kept_token_is_not_shown() -> None:
    """Promise: no log and no traceback has the token."""
    assert "hush" not in f"{KEPT!r} {secret_of(KEPT)!r} {[KEPT]}"
    assert secret_of(KEPT).reveal() == "hush"
