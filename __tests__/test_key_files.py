"""Keys that nobody gave are made once, and are their owner's alone."""

import stat
from pathlib import Path

import pytest

from cryptomarket.errors import StartRefused
from cryptomarket.key_files import given_or_made, keep_privately, open_privately


def test_a_given_key_is_taken_and_no_file_is_made(tmp_path: Path) -> None:
    """Promise: what is configured wins."""
    assert given_or_made("configured", tmp_path / "key").reveal() == "configured"
    assert not (tmp_path / "key").exists()


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """Promise: 256 random bits, mode 0600, the same at the next start, another in another folder."""
    path = tmp_path / "new" / "key"
    made = given_or_made("", path).reveal()
    assert len(made) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert given_or_made("", path).reveal() == made
    assert given_or_made("", tmp_path / "other").reveal() != made


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """Promise: a key that is no secret any more is not used."""
    path = tmp_path / "key"
    given_or_made("", path)
    path.chmod(0o640)
    with pytest.raises(StartRefused, match="may be read by others"):
        given_or_made("", path)


@pytest.mark.parametrize("content", [b"", b"short\n", b" " * 100, b"\xff" * 40])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """Promise: a cut-off or foreign file never becomes a weak key."""
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(StartRefused, match="holds no key"):
        given_or_made("", path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """Promise: one sentence, no traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(StartRefused, match="cannot be used"):
        given_or_made("", tmp_path / "file" / "key")


def test_what_is_ours_is_closed_to_others_and_nothing_else_is_changed(tmp_path: Path) -> None:
    """Promise: modes are only ever narrowed; what is not there stays so."""
    for before, after in ((0o644, 0o600), (0o400, 0o400), (0o600, 0o600)):
        path = tmp_path / "file"
        path.touch()
        path.chmod(before)
        keep_privately(path, mode=0o600)
        assert stat.S_IMODE(path.stat().st_mode) == after
    keep_privately(tmp_path / "nothing", mode=0o600)
    assert not (tmp_path / "nothing").exists()
    with open_privately(tmp_path / "new") as file:
        file.write("x")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
