"""Files that their owner alone may read; and keys that nobody gave, made once into such files."""

import os
import secrets
import stat
from pathlib import Path
from typing import TextIO

from cryptomarket.errors import StartRefused
from cryptomarket.secret import Secret

MIN_CHARACTERS = 32


def given_or_made(given: str, path: Path) -> Secret:
    """The given key, or the one in the file at `path`, which is made with 256 random bits when there is none.

    Raises StartRefused when the file can't be read or made, or others may read it.
    """
    if given:
        return Secret(given)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _read(path)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(32))
        return _read(path)
    except OSError as error:
        raise StartRefused(f"The key file {path} cannot be used: {error.strerror}.") from error


def write_privately(path: Path, text: str) -> None:
    """Writes a file that its owner alone may read, also where there was one that others could.

    Raises StartRefused when it can't be written.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                # Before the first word: whoever opens it from now on is refused.
                os.fchmod(file.fileno(), 0o600)
                file.truncate()
            file.write(text)
    except OSError as error:
        raise StartRefused(f"The file {path} cannot be written: {error.strerror}.") from None


def open_privately(path: Path) -> TextIO:
    """Opens a file for appending; one that is made is made for its owner alone. Raises OSError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a")


def keep_privately(path: Path, *, mode: int) -> None:
    """Takes from a file or folder what its mode has beyond `mode`, if it exists and is ours."""
    try:
        found = path.stat()
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & ~mode:
            path.chmod(found.st_mode & mode)
    except OSError:
        # It is not there, or of a file system without modes: there is nothing to take away.
        return


def _read(path: Path) -> Secret:
    if path.stat().st_mode & 0o077:
        raise StartRefused(f"The key file {path} may be read by others; run: chmod 600 {path}")
    # A key is ASCII; what is not becomes empty, and is refused as no key.
    content = path.read_bytes()
    text = content.decode().strip() if content.isascii() else ""
    if len(text) < MIN_CHARACTERS:
        raise StartRefused(f"The key file {path} holds no key; remove it, and a new one is made.")
    return Secret(text)
