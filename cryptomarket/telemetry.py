"""Logs: one structured line per event, the request's id in each, and nothing secret in any.

Everything that logs, ours or a library's, goes through one handler and the same processors. The redaction is the last
of several walls, not the first: secrets are types with a starred `repr`, and what would print frames, headers or
locals is switched off below.
"""

import logging
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, TextIO

import structlog
from asgi_correlation_id import correlation_id
from structlog.typing import EventDict, Processor, WrappedLogger

from cryptomarket.secret import Sealed, Secret

LogFormat = Literal["json", "console"]

STARS = "***"

# Whole names, and names that end so: `access_token`, `x-secret-key`, `redis_password`.
_SECRET_NAMES = re.compile(
    r"(?:^|[_\-.])(?:secret|password|passwd|token|authorization|cookie|signature|api[_\-]?key|secret[_\-]?key"
    r"|one[_\-]time[_\-]key|token[_\-]?key|seal[_\-]?secret|credentials?)$",
    re.IGNORECASE,
)
# Where none of these is in a text, none of the patterns below can find anything: one look instead of seven.
_HINT = re.compile(
    r"eyJ|cmk_|gAAAA|bearer|basic|secret|token|api_?key|passw(?:or)?d|cookie|authorization|signature|://", re.IGNORECASE
)
_NAMES = r"(?:x-secret-key|secret|token(?:_?key)?|api_?key|passw(?:or)?d|cookie|authorization|signature)"
_SECRET_TEXTS = (
    # JSON Web Tokens (RFC 7519): ours, and anybody's.
    (re.compile(r"\beyJ[A-Za-z0-9_\-]{5,}\.[A-Za-z0-9_\-]{5,}\.[A-Za-z0-9_\-]*"), STARS),
    # The gateway's API keys; the open part helps to find which.
    (re.compile(r"\b(cmk_[a-z2-7]{12})_[0-9a-f]+"), rf"\1_{STARS}"),
    # Fernet tokens, which begin with their version and the high bytes of a time (github.com/fernet/spec).
    (re.compile(r"\bgAAAA[A-Za-z0-9_\-]{20,}={0,2}"), STARS),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9+/_\-.~]{8,}=*", re.IGNORECASE), rf"\1 {STARS}"),
    # Names and values: a header, a query, a form, a JSON object, a repr; and pairs, as headers are kept.
    (
        re.compile(rf"""({_NAMES}["']?\s*[=:]\s*b?)("[^"]*"|'[^']*'|[^\s"'&,;}}\])]+)""", re.IGNORECASE),
        rf"\1{STARS}",
    ),
    (re.compile(rf"""({_NAMES}["']\s*,\s*b?)("[^"]*"|'[^']*')""", re.IGNORECASE), rf"\1{STARS}"),
    # The password in an address: postgresql://user:password@host.
    (re.compile(r"(\b[a-z][a-z0-9+.\-]*://[^\s:/@]*:)[^\s@/]+@", re.IGNORECASE), rf"\1{STARS}@"),
)

# At DEBUG these print what they send and receive, headers and logins included, or the values in statements.
_CAPPED = (
    "aiosqlite",
    "asyncio",
    "asyncpg",
    "botocore",
    "celery.utils",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "multipart",
    "python_multipart",
    "redis",
    "sqlalchemy.engine",
    "sqlalchemy.pool",
    "sse_starlette",
    "uvicorn",
    "uvicorn.asgi",
    "uvicorn.error",
    "websockets",
)
# They bring handlers of their own; without those, their lines come up to ours.
_OWN_HANDLERS = ("uvicorn", "uvicorn.access", "uvicorn.error", "uvicorn.asgi", "celery", "websockets", "alembic")

_QUIET = ("alembic.runtime.migration", "alembic.runtime.plugins", "sqlalchemy.pool", "uvicorn.error")

_MAX_DEPTH = 6

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROLS_BUT_BREAKS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_OF_MANY_LINES = frozenset({"exception", "stack"})


def configure_logging(level: str, format: LogFormat, *, stream: TextIO | None = None) -> None:  # noqa: A002 - its name
    """Sends every log line of this process through one handler, to `stream` or the error output.

    `level` is a name of the standard library. Raises ValueError for another. May be called again: the last call counts.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"there is no log level {level!r}")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_request_id,
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Plain tracebacks: a rendering with the frames' locals would show what they hold.
                structlog.processors.format_exc_info,
                redact,
                *_rendering(format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    _take_over_libraries(number)


def add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The id of the request in whose context the line is written, when there is one."""
    request_id = correlation_id.get()
    if request_id is not None:
        event.setdefault("request_id", request_id)
    return event


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Stars instead of values under secret names, of secrets' types, and of what looks like one inside any text."""
    return {name: _redacted(name, value, 0) for name, value in event.items()}


def redact_text(text: str) -> str:
    """The text without what looks like a token, a key, or a value under a secret name."""
    for pattern, replacement in _SECRET_TEXTS if _HINT.search(text) else ():
        text = pattern.sub(replacement, text)
    return text


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether what has this name is never shown."""
    return _SECRET_NAMES.search(name) is not None


def _redacted(name: str, value: object, depth: int) -> object:
    if is_secret(name) or isinstance(value, Secret | Sealed):
        return STARS
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact_text(value)
    if depth < _MAX_DEPTH:
        if isinstance(value, Mapping):
            return {str(key): _redacted(str(key), item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [_redacted("", item, depth + 1) for item in _unnamed(value)]
    return redact_text(value.decode("utf-8", "replace") if isinstance(value, bytes) else repr(value))


def _unnamed(items: list[object] | tuple[object, ...] | set[object] | frozenset[object]) -> list[object]:
    """The items of a collection; in pairs such as headers, the second is starred by the name of the first."""
    listed = list(items)
    if len(listed) == 2 and isinstance(listed[0], str | bytes):  # noqa: PLR2004 - a pair
        name = listed[0].decode("latin-1") if isinstance(listed[0], bytes) else listed[0]
        return [name, _redacted(name, listed[1], _MAX_DEPTH)]
    return listed


def escape(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Control characters spelled out: no text from outside begins a line of its own, or commands a terminal.

    Lines of a traceback stay lines.
    """
    return {
        name: (_CONTROLS_BUT_BREAKS if name in _OF_MANY_LINES else _CONTROLS).sub(_spelled_out, value)
        if isinstance(value, str)
        else value
        for name, value in event.items()
    }


def _spelled_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    text = structlog.processors.JSONRenderer(default=repr, ensure_ascii=False)(logger, method, event)
    # JSON may hold these as they are (RFC 8259, 7), and a terminal or a reader of lines would act on them.
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", str(text))


def _rendering(format: LogFormat) -> list[Processor]:  # noqa: A002 - its name
    if format == "json":
        return [_json]
    return [escape, structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]


def _take_over_libraries(number: int) -> None:
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _CAPPED:
        logging.getLogger(name).setLevel(max(number, logging.INFO))
    # What they say at every start and end is of no use to who runs the gateway.
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    # Anybody may send a strange id, as often as he likes: it is replaced, and no news.
    logging.getLogger("asgi_correlation_id").setLevel(logging.ERROR)
    # Capped already, but a parameter in an error of a statement may be anything.
    logging.getLogger("sqlalchemy.engine").setLevel(max(number, logging.WARNING))
    logging.captureWarnings(capture=True)
