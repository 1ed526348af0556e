"""Which channels go into which subscribe call. Pure.

A call takes at most 500 channels and a frame at most 32 kB; 500 long names are more than that
(docs.deribit.com/articles/market-data-collection-best-practices, docs.deribit.com/articles/errors).
"""

from collections.abc import Iterable, Iterator

MAX_CHANNELS = 500
MAX_FRAME_BYTES = 32_000
# What a request is around its channels: envelope, method and id, generously.
_ENVELOPE_BYTES = 200
# Two quotation marks and a comma.
_QUOTING_BYTES = 3

RAW = "raw"
SLOWER = "100ms"


def batches(
    channels: Iterable[str], *, max_channels: int = MAX_CHANNELS, max_bytes: int = MAX_FRAME_BYTES
) -> Iterator[list[str]]:
    """The channels in order, cut into lists that each fit one call. No list is empty, and none is left out: a name
    too long for any frame stands alone, and is the exchange's to refuse.
    """
    batch: list[str] = []
    size = _ENVELOPE_BYTES
    for channel in channels:
        cost = len(channel.encode()) + _QUOTING_BYTES
        if batch and (len(batch) >= max_channels or size + cost > max_bytes):
            yield batch
            batch, size = [], _ENVELOPE_BYTES
        batch.append(channel)
        size += cost
    if batch:
        yield batch


def slower(channel: str) -> str:
    """The channel that brings the same without a login: every 100 ms instead of each change."""
    head, dot, interval = channel.rpartition(".")
    return f"{head}.{SLOWER}" if dot and interval == RAW else channel
