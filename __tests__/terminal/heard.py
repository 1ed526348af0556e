"""Events as a stream would hand them out."""

import json

from cryptomarket.client import Heard
from cryptomarket.client.events import event_of


def heard(name: str, at: str | None = None, /, **data: object) -> Heard:
    """An event of this name and data."""
    text = json.dumps(data, separators=(",", ":"))
    return Heard(name, text, event_of(name, text, at), at)


def tick(seq: int, price: float, **more: object) -> Heard:
    """A tick of an index."""
    fields = {
        "seq": seq, "prev_seq": None, "ticker": "btc_usd", "instrument_name": "btc_usd", "kind": "index",
        "price": price, "timestamp": 1, "received_us": 2_000_000, "published_us": 3,
    }  # fmt: skip
    return heard("message", f"e-{seq}", **{**fields, **more})


def connected(resume: str) -> Heard:
    """The beginning of a connection."""
    return heard(
        "connected", user_id="u", request_id="r", exchange="simulator", tickers=["btc_usd"], resume=resume,
        position="e-1", server_time_us=5,
    )  # fmt: skip
