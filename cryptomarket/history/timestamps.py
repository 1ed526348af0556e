"""Times as people write them, and the milliseconds they mean."""

import re
from datetime import UTC, datetime

from cryptomarket.errors import Impossible, Malformed

OLDER_PATTERN = "YYYY-MM-DD_H:M:S"
DAY_MS = 86_400_000

_SECONDS_BELOW = 10**11
_MILLISECONDS_BELOW = 10**14
END_OF_TIME_MS = 253_402_300_800_000  # the year 10000, where ISO 8601 stops having four digits
# Longer ones are not read by Python, nor meant by anybody.
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,4000}")
_OLDER = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})_([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})")
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_LOST_PLUS = re.compile(r"(T[0-9:.,]+) ([0-9:]{2,5})")


def _us_of(moment: datetime) -> int:
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds


def _us_of_number(number: int) -> int:
    if abs(number) < _SECONDS_BELOW:
        return number * 1_000_000
    return number * 1000 if abs(number) < _MILLISECONDS_BELOW else number


def _us_of_iso(given: str) -> int | None:
    # In a query a bare plus is a space; it can only have been the zone's.
    iso = _LOST_PLUS.sub(r"\1+\2", given.upper())
    try:
        return _us_of(datetime.fromisoformat(iso)) if iso.isascii() else None
    except (ValueError, OverflowError):
        return None


def _time_us(text: str, *, field: str) -> int:
    given = text.strip()
    moment_us = _us_of_number(int(given)) if _WHOLE_NUMBER.fullmatch(given) else _us_of_iso(given)
    if moment_us is None:
        raise Malformed(
            f"{field} is a time: ISO 8601, such as 2026-01-31T12:00:00Z, or an integer of Unix seconds, "
            f"milliseconds or microseconds.",
            field=field,
        )
    return moment_us


def _checked(moment_ms: int, *, field: str) -> int:
    if not 0 <= moment_ms < END_OF_TIME_MS:
        raise Impossible(f"{field} lies outside of the years 1970 to 9999.", field=field)
    return moment_ms


def time_ms(text: str, *, field: str) -> int:
    """A bound of a range in milliseconds since the epoch: from ISO 8601, in UTC when it names no zone, or from an
    integer, whose size tells seconds (below 1e11), milliseconds (below 1e14) and microseconds apart. Finer than a
    millisecond is rounded up.

    Raises Malformed for what is neither, Impossible outside of the years 1970 to 9999.
    """
    # Bounds are compared with whole milliseconds: rounded up, both ends keep exactly the ticks they kept before.
    return _checked(-(-_time_us(text, field=field) // 1000), field=field)


def moment_ms(text: str, *, field: str) -> int:
    """The same of a moment, to which what is closest is looked for: the nearest millisecond, of two the earlier one."""
    return _checked((_time_us(text, field=field) + 499) // 1000, field=field)


def older_time_ms(text: str, *, field: str) -> int:
    """Milliseconds since the epoch of `YYYY-MM-DD_H:M:S`, UTC, zero padding optional. Raises Malformed."""
    moment_ms = _found_ms(_OLDER, text)
    if moment_ms is None:
        raise Malformed(f"{field} is written {OLDER_PATTERN}, in UTC, such as 2026-01-31_12:00:00.", field=field)
    return moment_ms


def day_ms(text: str, *, field: str) -> int:
    """Milliseconds since the epoch of the beginning of a day `YYYY-MM-DD`, UTC. Raises Malformed."""
    moment_ms = _found_ms(_DAY, text)
    if moment_ms is None:
        raise Malformed(f"{field} is written YYYY-MM-DD, in UTC, such as 2026-01-31.", field=field)
    return moment_ms


def _found_ms(pattern: re.Pattern[str], text: str) -> int | None:
    """The moment whose numbers the pattern finds, None for none, and for one that is not or lies before 1970."""
    found = pattern.fullmatch(text)
    if found is None:
        return None
    try:
        moment_us = _us_of(datetime(*(int(part) for part in found.groups()), tzinfo=UTC))  # type: ignore[arg-type, misc]
    except ValueError:
        return None
    return moment_us // 1000 if moment_us >= 0 else None


def spelled(moment_ms: int) -> str:
    """`YYYY-MM-DD HH:MM:SS.mmm` in UTC, the key of a row in the older date filter."""
    moment = datetime.fromtimestamp(moment_ms // 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment_ms % 1000:03d}"
