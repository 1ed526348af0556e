"""Hashes of tickers as pictures."""

from cryptomarket.backplane.bus import Picture
from cryptomarket.backplane.redis.answers import Answer, as_bytes, as_int, as_pairs
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication, PublicationKind


def picture_of(epoch: str, ticker: str, told: Answer) -> Picture:
    """What a ticker's hash says in this epoch. One that was written in another counts for its last tick alone."""
    known = {as_bytes(name).decode(): as_bytes(value) for name, value in as_pairs(told)}
    if known.get("epoch", b"").decode() != epoch:
        return Picture(remembered=known.get("tick", known.get("remembered")))
    return Picture(
        tick=_last(epoch, ticker, PublicationKind.TICK, known),
        remembered=known.get("remembered"),
        status=_last(epoch, ticker, PublicationKind.STATUS, known),
        last_seq=as_int(known["last_seq"]) if "last_seq" in known else None,
    )


def _last(epoch: str, ticker: str, kind: PublicationKind, known: dict[str, bytes]) -> Publication | None:
    payload = known.get(kind.value)
    if payload is None:
        return None
    previous = known[f"{kind.value}_prev_seq"]
    position = Position(epoch, as_int(known[f"{kind.value}_seq"]))
    return Publication(position, kind, ticker, int(previous) if previous else None, payload)
