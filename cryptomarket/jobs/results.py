"""What a job has come to, as it is kept and shown: an object of JSON within a bound, with nothing secret in it."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import islice

import msgspec

from cryptomarket.market.wire import encode
from cryptomarket.telemetry import STARS, is_secret, redact_text

MAX_RESULT = 8000
# Of what is too long, so many of each collection are kept, rather than none: the first that is short enough.
_FIRST = (100, 50, 20, 10, 5, 2, 1, 0)
Json = object


def result_text(result: Mapping[str, object]) -> str:
    """The result as JSON of at most MAX_RESULT characters. Texts that look like a secret, and texts under a secret
    name, are starred; keys and shape stay. Of one that is too long, the first of each collection are kept, and
    `counts` says how many there were.
    """
    plain: dict[str, Json] = msgspec.to_builtins(result, builtin_types=(Decimal,), str_keys=True)
    told = {redact_text(name): _redacted(name, value) for name, value in plain.items()}
    text = encode(told).decode()
    if len(text) <= MAX_RESULT:
        return text
    for first in _FIRST:
        shortened = encode(_shortened(told, first)).decode()
        if len(shortened) <= MAX_RESULT:
            return shortened
    return encode({"omitted": f"a result of {len(text)} characters"}).decode()


def read_result(text: str) -> dict[str, object]:
    """The result in a text that was kept; one that can't be read says so."""
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except msgspec.DecodeError:
        return {"omitted": "a result that can't be read"}


def _redacted(name: str, value: Json) -> Json:
    match value:
        case str():
            return STARS if is_secret(name) else redact_text(value)
        case dict():
            return {redact_text(key): _redacted(key, item) for key, item in value.items()}
        case list():
            return [_redacted(name, item) for item in value]
    return value


def _shortened(told: Mapping[str, Json], first: int) -> dict[str, Json]:
    counts = {name: len(value) for name, value in told.items() if isinstance(value, dict | list)}
    return {**{name: _first(value, first) for name, value in told.items()}, "counts": counts}


def _first(value: Json, first: int) -> Json:
    if isinstance(value, dict):
        return dict(islice(value.items(), first))
    return value[:first] if isinstance(value, list) else value
