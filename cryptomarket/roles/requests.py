"""What may be asked of jobs by hand, beyond the bounds of each argument: known before a run is added."""

from cryptomarket.history.reach import range_of
from cryptomarket.history.timestamps import time_ms
from cryptomarket.jobs.arguments import Arguments, Checking


def moment_ms(moment: str | int | None, field: str) -> int | None:
    """Milliseconds since the epoch, None where nothing was said. Raises Malformed for what is no time, and
    Impossible outside of all years.
    """
    if moment is None:
        return None
    return time_ms(str(moment), field=field)


def check_request(arguments: Arguments, now_ms: int) -> None:
    """Raises Impossible for a stretch of time that does not begin before it ends, or that is yet to come, and Malformed
    for ends that are no times.
    """
    if isinstance(arguments, Checking):
        start_ms, end_ms = moment_ms(arguments.start, "start"), moment_ms(arguments.end, "end")
        range_of(start_ms, end_ms, first_ms=None, now_ms=now_ms)
