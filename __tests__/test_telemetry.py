"""Every line is structured, carries its request's id, and shows nothing secret, whoever wrote it."""

import io
import json
import logging
import string
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Literal

import jwt
import pytest
import structlog
from asgi_correlation_id import correlation_id
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from __tests__.telemetry_kept import kept_logging
from cryptomarket.secret import Sealed, Secret
from cryptomarket.telemetry import configure_logging, redact, redact_text

TOKEN = jwt.encode({"sub": "u_1"}, "a key of a test that is long enough for it")
FERNET = Fernet(Fernet.generate_key()).encrypt(b"demo-1-secret").decode()
KEY = f"cmk_{'a' * 12}_{'0f' * 32}"
PLAIN = "Zyx-plain-wvu"

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    with kept_logging():
        yield io.StringIO()


@pytest.fixture
def lines(stream: io.StringIO) -> Lines:
    """What was logged since, at DEBUG, as JSON."""
    configure_logging("DEBUG", "json", stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_our_lines_and_a_librarys_look_the_same(lines: Lines) -> None:
    """One object per line with time, level, logger and event, from structlog and from the standard library."""
    structlog.get_logger("cryptomarket.test").info("connected", slot=3)
    logging.getLogger("uvicorn.error").warning("port %d is taken", 8003)
    ours, theirs = lines()
    assert (ours["event"], ours["slot"], ours["level"], ours["logger"]) == ("connected", 3, "info", "cryptomarket.test")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("port 8003 is taken", "warning", "uvicorn.error")
    assert ours["timestamp"].endswith("Z")
    assert set(ours) - {"slot"} == set(theirs)


def test_the_requests_id_is_in_every_line_of_it(lines: Lines) -> None:
    """From the middleware's variable; outside of a request there is none."""
    structlog.get_logger("t").info("before")
    token = correlation_id.set("6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
    try:
        structlog.get_logger("t").info("ours")
        logging.getLogger("uvicorn.access").info("theirs")
    finally:
        correlation_id.reset(token)
    with structlog.contextvars.bound_contextvars(task_id="t1"):
        structlog.get_logger("t").info("a job")
    before, ours, theirs, job = lines()
    assert "request_id" not in before
    assert ours["request_id"] == theirs["request_id"] == "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
    assert (job["task_id"], "request_id" in job) == ("t1", False)


@pytest.mark.parametrize(
    "name",
    [
        "secret", "client_secret", "SEAL_SECRET", "x-secret-key", "X-Secret-key", "password", "redis_password",
        "token", "access_token", "refresh_token", "authorization", "Authorization", "cookie", "Set-Cookie", "api_key",
        "signature", "client_signature", "TOKEN_KEY", "credentials",
    ],
)  # fmt: skip
def test_a_value_under_a_secret_name_is_stars(lines: Lines, name: str) -> None:
    """At the top, in a mapping, in a list of pairs as headers are kept, as bytes, and in the text of a line."""
    log = structlog.get_logger("t")
    log.info("top", **{name: PLAIN})
    log.info("nested", request={"headers": {name: PLAIN}, "more": [{name: [PLAIN]}]})
    log.info("pairs", headers=[(name, PLAIN), (name.encode(), PLAIN.encode())])
    log.info("repr", headers=repr([(name.encode(), PLAIN.encode())]) if name != "credentials" else "")
    assert not any(PLAIN in json.dumps(line) for line in lines())
    assert lines()[0][name] == "***"


@pytest.mark.parametrize(
    "text",
    [
        f"a token {TOKEN} and more",
        f"Authorization: Bearer {PLAIN}",
        f"authorization: basic {PLAIN}==",
        f"key={KEY}",
        f"the sealed text {FERNET}",
        f"GET /x?client_secret={PLAIN}&a=1",
        f"GET /x?access_token={PLAIN} HTTP/1.1",
        f'{{"client_secret": "{PLAIN} with blanks"}}',
        f"{{'client_secret': '{PLAIN}'}}",
        f"x-secret-key: {PLAIN}",
        f"(b'x-secret-key', b'{PLAIN}')",
        f"postgresql://crypto:{PLAIN}@db:5432/crypto",
        f"redis://:{PLAIN}@redis:6379/0",
        f"cookie: cryptomarket_token={TOKEN}; a=b",
        f"password={PLAIN}",
    ],
)
def test_what_looks_like_a_secret_inside_a_text_is_stars(lines: Lines, text: str) -> None:
    """In our events, in a library's arguments, in values, and in the text and traceback of an error."""
    structlog.get_logger("t").info(text, note=text, deep=[{"a": (text,)}])
    logging.getLogger("other").warning("it said %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        structlog.get_logger("t").exception("it failed")
        logging.getLogger("other").exception("it failed too")
    written = json.dumps(lines())
    for part in (PLAIN, TOKEN, FERNET, "0f0f0f"):
        assert part not in written
    assert len(lines()) == 4
    assert written.count("***") >= 6


def test_secrets_types_are_stars_wherever_they_are(lines: Lines) -> None:
    """Under any name and at any depth."""
    structlog.get_logger("t").info("x", a=Secret(PLAIN), b=[{"c": Secret(PLAIN)}], d=Sealed(PLAIN.encode()))
    (line,) = lines()
    assert (line["a"], line["b"], line["d"]) == ("***", [{"c": "***"}], "***")


def test_a_traceback_shows_no_locals(stream: io.StringIO) -> None:
    """Neither rendering prints what the variables of a frame hold."""

    def fail(_held: str) -> None:
        raise RuntimeError("it broke")

    for kind in ("json", "console"):
        configure_logging("DEBUG", "json" if kind == "json" else "console", stream=stream)
        try:
            fail("Zyx" + "-local-" + "wvu")
        except RuntimeError:
            structlog.get_logger("t").exception("it failed")
    assert stream.getvalue().count("RuntimeError: it broke") == 2
    assert "Traceback" in stream.getvalue()
    assert "Zyx-local-wvu" not in stream.getvalue()


def test_harmless_things_stay_as_they_are() -> None:
    """Redaction that eats prices, tickers and numbers would be found too late."""
    event = {
        "event": "published",
        "ticker": "BTC-27DEC26-50000-C",
        "seq": 12,
        "age_ms": 3.5,
        "live": True,
        "nothing": None,
        "key_id": "aaaaaaaaaaaa",
        "tokens_revoked": 3,
        "url": "http://127.0.0.1:8003/api/v2/ticks/btc_usd?start=1&end=2",
        "tickers": ["btc_usd", "eth_usd"],
        "note": "the exchange keeps the secret to itself",
    }
    assert redact(None, "info", dict(event)) == event
    assert redact_text(f"the key {KEY} was revoked") == f"the key cmk_{'a' * 12}_*** was revoked"


def test_libraries_that_print_frames_and_headers_stay_silent_at_debug(lines: Lines) -> None:
    """Frames carry logins, headers tokens, statements values: these loggers are capped, with their children."""
    for name in (
        "websockets.client", "websockets.server", "httpcore.http11", "httpcore2.connection", "httpx", "aiosqlite",
        "sse_starlette.sse", "redis", "uvicorn.error", "uvicorn.asgi", "asyncio", "botocore.auth",
    ):  # fmt: skip
        logging.getLogger(name).debug("> TEXT %s", PLAIN)
    for name in ("sqlalchemy.engine.Engine", "sqlalchemy.pool"):
        logging.getLogger(name).debug("[parameters: %s]", PLAIN)
    logging.getLogger("sqlalchemy.engine.Engine").info("[parameters: %s]", PLAIN)
    logging.getLogger("cryptomarket.live").debug("ours is heard")
    logging.getLogger("websockets.client").warning("what matters is heard")
    assert [line["event"] for line in lines()] == ["ours is heard", "what matters is heard"]


def test_each_line_is_written_once_and_the_last_configuration_counts(stream: io.StringIO) -> None:
    """A library's own handler would write it a second time, unredacted."""
    own = io.StringIO()
    logging.getLogger("uvicorn.access").addHandler(logging.StreamHandler(own))
    logging.getLogger("uvicorn.access").propagate = False
    configure_logging("INFO", "json", stream=io.StringIO())
    configure_logging("WARNING", "json", stream=stream)
    logging.getLogger("uvicorn.access").warning("once")
    structlog.get_logger("t").info("below the level")
    structlog.get_logger("t").error("above it")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["once", "above it"]
    assert own.getvalue() == ""


def test_warnings_become_lines(lines: Lines) -> None:
    """What a library warns of is in the same log, not beside it."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("this goes away", UserWarning, stacklevel=1)
    assert "this goes away" in lines()[0]["event"]


def test_the_console_is_for_people(stream: io.StringIO) -> None:
    """No JSON, no colours in files, and the same redaction."""
    configure_logging("info", "console", stream=stream)
    structlog.get_logger("t").info("connected", slot=3, token=PLAIN)
    shown = stream.getvalue()
    assert "connected" in shown
    assert "slot=3" in shown
    assert PLAIN not in shown
    assert "\x1b" not in shown


NASTY = "a\r\n2026-11-21 [info] forged\x1b[2J\x9b\x7f\u2028é"


@pytest.mark.parametrize("format_", ["console", "json"])
def test_a_text_from_outside_writes_no_line_of_its_own(
    stream: io.StringIO, format_: Literal["console", "json"]
) -> None:
    """Promise: control characters are spelled out, in whichever place and form; letters of any language are not."""
    configure_logging("info", format_, stream=stream)
    structlog.get_logger("t").info(NASTY, value=NASTY, within=[NASTY])
    logging.getLogger("uvicorn.error").warning("%s", NASTY)
    shown = stream.getvalue()
    assert len(shown.splitlines()) == 2
    assert not set(shown) & set(NASTY) - set("\n é") - set(string.printable[:94])
    assert "é" in shown
    if format_ == "json":
        assert json.loads(shown.splitlines()[0])["value"] == NASTY


def test_a_traceback_keeps_its_lines(stream: io.StringIO) -> None:
    """Promise: what went wrong can be read; what the error says cannot command a terminal."""
    configure_logging("info", "console", stream=stream)
    try:
        raise ValueError("\x1b[2J")
    except ValueError as error:
        structlog.get_logger("t").error("failed", exc_info=error)
    shown = stream.getvalue()
    assert len(shown.splitlines()) > 3
    assert "\x1b" not in shown
    assert r"\x1b[2J" in shown


def test_an_unknown_level_is_refused() -> None:
    """A typing error in LOG_LEVEL does not silence the gateway."""
    with pytest.raises(ValueError, match="chatty"):
        configure_logging("chatty", "json")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_redaction_never_fails_and_always_can_be_written(value: object) -> None:
    """A line must not be lost, nor a request broken, because of what somebody logs."""
    json.dumps(redact(None, "info", {"event": "x", "value": value}))
