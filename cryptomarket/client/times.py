"""Moments as a caller has them, as the gateway takes them."""

from datetime import datetime

Moment = int | str | datetime
"""Unix time in milliseconds (or seconds, or microseconds: the gateway tells them apart by size), ISO 8601 text, or a
datetime with a zone.
"""


def text_of(moment: Moment | None) -> str | None:
    """The moment as text. Raises ValueError for a datetime without a zone: it would be another moment elsewhere."""
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise ValueError(f"{moment.isoformat()} has no zone; say tzinfo=UTC, if that is what is meant")
        return moment.isoformat()
    return None if moment is None else str(moment)
