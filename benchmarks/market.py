"""What the exchange says in a benchmark: recordings for the simulator, and for the rivals the gateway's own frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cryptomarket.deribit.mapping import channel_of, tick_of
from cryptomarket.live.events import frame_of
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication, PublicationKind, encode_tick
from cryptomarket.simulator.names import INDEX_NAMES

SPOTS = (
    "BTC_USDC", "ETH_USDC", "SOL_USDC", "XRP_USDC", "STETH_USDC", "PAXG_USDC", "BNB_USDC", "USDE_USDC", "BTC_USDT",
    "ETH_USDT", "USDC_USDT", "SOL_USDT", "ETH_BTC", "STETH_ETH", "PAXG_BTC", "BTC_EURR", "ETH_EURR", "EURR_USDC",
)  # fmt: skip
# At a millionth of a dollar, the simulator's ten digits are too few to say something new every time.
_INDICES = [name for name in INDEX_NAMES if name != "shib_usdc"]
FIFTY = (*SPOTS, *_INDICES[: 50 - len(SPOTS)])
"""Names that are listed on every day, instruments and indices."""

TEN = tuple(name for pair in zip(SPOTS[:5], FIFTY[18:23], strict=True) for name in pair)
"""Five instruments and five indices in turn: an event of one has about 620 bytes, of the other 230."""

EPOCH = "0000000000000000"


@dataclass(frozen=True, slots=True)
class Script:
    """So many notifications a second, in turn over the tickers that talk; the silent ones say one thing at the start.
    `padding` digits make an event larger: a volume as exact as nobody needs it.
    """

    rate: float
    talking: Sequence[str]
    silent: Sequence[str] = ()
    padding: int = 0


def instrument(name: str) -> Instrument:
    """What the catalogue would say of an index or a spot pair."""
    return Instrument(name, Kind.INDEX if name in INDEX_NAMES else Kind.SPOT)


def data_of(name: str, number: int, timestamp_ms: int, padding: int = 0) -> dict[str, object]:
    """What the exchange says of an index or a spot pair; no two numbers say the same."""
    token = msgspec.Raw(b"%d.%02d" % (85_000 + number % 997, number % 89))
    if name in INDEX_NAMES:
        return {"timestamp": timestamp_ms, "price": token, "index_name": name}
    volume = msgspec.Raw(b"11.5" + b"0" * (padding - 1) + b"1" if padding else b"11.5")
    return {
        "timestamp": timestamp_ms,
        "state": "open",
        "stats": {"high": 87001, "low": 84002, "volume": volume},
        "instrument_name": name,
        "last_price": token,
        "mark_price": token,
        "index_price": 85010,
        "best_bid_price": token,
        "best_bid_amount": number % 91,
        "best_ask_price": token,
        "best_ask_amount": number % 83,
    }


def notifications(script: Script, seconds: float, began_us: int) -> Iterator[bytes]:
    """The lines of a recording (docs/simulator.md): what comes, and when."""
    encode = msgspec.json.encode

    def line(name: str, number: int, at_us: int) -> bytes:
        data = data_of(name, number, at_us // 1000, script.padding)
        notification = {
            "jsonrpc": "2.0",
            "method": "subscription",
            "params": {"channel": channel_of(instrument(name), "100ms"), "data": data},
        }
        return encode({"at_us": at_us, "frame": notification}) + b"\n"

    for name in script.silent:
        yield line(name, 0, began_us)
    for number in range(int(script.rate * seconds)):
        yield line(script.talking[number % len(script.talking)], number, began_us + int(number * 1e6 / script.rate))


def record(script: Script, seconds: float, file: Path) -> Path:
    """Writes a recording. Its times are shifted to the present when it is played."""
    with file.open("wb") as out:
        out.writelines(notifications(script, seconds, began_us=1_700_000_000_000_000))
    return file


def frame(script: Script, number: int, now_us: int) -> bytes:
    """The event that the gateway would send for a notification of the script: the same bytes for every rival."""
    name = script.talking[number % len(script.talking)]
    data = msgspec.json.encode(data_of(name, number, now_us // 1000, script.padding))
    known = instrument(name)
    tick = tick_of(channel_of(known, "100ms"), data, instrument=known, received_us=now_us)
    before = number + 1 - len(script.talking)
    publication = Publication(
        Position(EPOCH, number + 1),
        PublicationKind.TICK,
        name,
        before if before > 0 else None,
        encode_tick(tick, published_us=now_us),
    )
    return frame_of(publication)
