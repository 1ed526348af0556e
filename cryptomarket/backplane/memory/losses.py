"""What the log gave up of a ticker before a group had it, as one entry that only grows. Pure."""

from dataclasses import replace

from cryptomarket.backplane.bus import Loss
from cryptomarket.market.wire import Publication, time_of


def with_lost(loss: Loss | None, publication: Publication) -> Loss:
    """The ticker's loss with one publication more, None being no loss yet."""
    at_ms = time_of(publication.kind, publication.payload)
    if loss is None:
        return Loss(publication.ticker, publication.position, publication.seq, 1, at_ms, at_ms)
    told = [ms for ms in (loss.first_ms, loss.last_ms, at_ms) if ms is not None]
    return replace(
        loss,
        first=min(loss.first, publication.position, key=lambda position: position.seq),
        last_seq=max(loss.last_seq, publication.seq),
        count=loss.count + 1,
        first_ms=min(told, default=None),
        last_ms=max(told, default=None),
    )
