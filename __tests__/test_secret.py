"""A secret shows itself to nobody who does not ask for it by name."""

import copy
import json
import logging
import pickle
import traceback

import msgspec
import pytest

from cryptomarket.secret import Sealed, Secret

TEXT = "hunter2-hunter2"


def test_only_reveal_gives_the_text() -> None:
    """No form of printing, formatting or collecting shows it."""
    secret = Secret(TEXT)
    assert secret.reveal() == TEXT
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret:>40}",
        "%s" % secret,  # noqa: UP031 - the form is what is tested
        repr({"secret": [secret]}),
        str(ValueError(secret)),
        "".join(traceback.format_exception(ValueError(secret))),
    ]
    assert not any(TEXT in text for text in shown)
    assert all("***" in text for text in shown)


def test_it_is_not_carried_away() -> None:
    """Neither pickled into a job, nor encoded into JSON, nor copied, nor compared by content."""
    secret = Secret(TEXT)
    for carry in (pickle.dumps, json.dumps, msgspec.json.encode, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            carry(secret)
    assert secret != Secret(TEXT)
    with pytest.raises(TypeError):
        len(secret)  # type: ignore[arg-type]  # a length would be told to whoever asks
    with pytest.raises(TypeError):
        vars(secret)


def test_it_tells_whether_it_is_empty() -> None:
    """An empty setting is no secret."""
    assert Secret(TEXT)
    assert not Secret("")


def test_a_log_line_shows_stars(caplog: pytest.LogCaptureFixture) -> None:
    """Lazy formatting by the standard library included."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").debug("a login with %s and %r", Secret(TEXT), Secret(TEXT))
    assert TEXT not in caplog.text
    assert "***" in caplog.text


def test_sealed_text_is_not_shown_either() -> None:
    """It opens for nobody, and still has no place in a log."""
    sealed = Sealed(b"gAAAAA-the-token")
    assert "token" not in repr(sealed)
    assert "token" not in f"{sealed}"
    assert sealed.token == b"gAAAAA-the-token"
