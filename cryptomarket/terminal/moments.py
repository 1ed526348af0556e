"""Times as they are typed."""

import re

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d{1,6})([smhd])")


def duration_ms(text: str) -> int:
    """`90s`, `15m`, `2h`, `7d` in milliseconds. Raises ValueError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no length of time: write 90s, 15m, 2h or 7d.")
    return int(found[1]) * _UNITS_MS[found[2]]
