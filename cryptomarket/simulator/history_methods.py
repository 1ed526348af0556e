"""Methods about the past: trades, candles, index charts."""

from collections.abc import Sequence
from typing import Final

from cryptomarket.simulator import trades
from cryptomarket.simulator.candles import RESOLUTIONS_S, volatility_candles
from cryptomarket.simulator.desk import Call, Desk, Method
from cryptomarket.simulator.listing import Listing
from cryptomarket.simulator.market_methods import CURRENCY, INDEX, INSTRUMENT, KIND
from cryptomarket.simulator.params import Param
from cryptomarket.simulator.refusals import bad_param
from cryptomarket.simulator.spelling import Json

_VOLATILITY_RESOLUTIONS_S: Final = {"1": 1, "60": 60, "3600": 3_600, "43200": 43_200, "1D": 86_400}
_RANGES_S: Final = {
    "1h": (3_600, 60), "1d": (86_400, 300), "2d": (172_800, 600), "1m": (2_592_000, 7_200),
    "1y": (31_536_000, 86_400), "all": (94_608_000, 259_200),
}  # fmt: skip


def _get_tradingview_chart_data(desk: Desk, call: Call) -> Json:
    params = call.params
    if params["start_timestamp"] > params["end_timestamp"]:
        raise bad_param("start_timestamp", "invalid value")
    return desk.world.candles.chart(
        desk.listing(call), params["start_timestamp"], params["end_timestamp"], str(params["resolution"]), call.now_us
    )


def _get_volatility_index_data(desk: Desk, call: Call) -> Json:
    params = call.params
    index = f"{params['currency'].lower()}_usd"
    end_ms = min(params["end_timestamp"], call.now_us // 1000)
    length_s = _VOLATILITY_RESOLUTIONS_S[str(params["resolution"])]
    return volatility_candles(desk.world.market, index, params["start_timestamp"], end_ms, length_s)


def _get_index_chart_data(desk: Desk, call: Call) -> Json:
    span_s, every_s = _RANGES_S[call.params["range"]]
    last_s = call.now_us // 1_000_000 // every_s * every_s
    moments = range(last_s - span_s, last_s + 1, every_s)
    name = call.params["index_name"]
    return [[moment * 1000, desk.world.market.index(name, float(moment))] for moment in moments]


def _get_last_trades_by_instrument(desk: Desk, call: Call) -> Json:
    return _search(desk, call, [desk.listing(call)])


def _get_last_trades_by_currency(desk: Desk, call: Call) -> Json:
    for name in ("start_id", "end_id"):
        if call.params.get(name) is not None:
            # Ids of a currency are not one sequence here; a bound by id is refused rather than misread.
            raise bad_param(name, "invalid value")
    return _search(desk, call, desk.world.matching(call.params["kind"], call.params["currency"]))


def _search(desk: Desk, call: Call, listings: Sequence[Listing]) -> Json:
    params = call.params
    bounds = trades.Bounds(
        params["start_timestamp"], params["end_timestamp"], params.get("start_seq"), params.get("end_seq")
    )
    found, more = trades.search(
        desk.world, listings, call.now_us, bounds, count=params["count"], ascending=_ascending(call)
    )
    return {"trades": list(found), "has_more": more}


def _ascending(call: Call) -> bool:
    """``default`` follows the bound that was given: upwards from a start, else downwards from the newest."""
    sorting = call.params["sorting"]
    if sorting != "default":
        return bool(sorting == "asc")
    return call.params["start_timestamp"] is not None or call.params.get("start_seq") is not None


def _times(*, required: bool) -> tuple[Param, ...]:
    return tuple(Param(name, "integer", required=required, minimum=0) for name in ("start_timestamp", "end_timestamp"))


_PAGE: Final = (
    Param("count", "integer", minimum=1, maximum=1000, default=10),
    Param("sorting", choices=frozenset(("asc", "desc", "default")), default="default"),
)
_COIN: Final = Param("currency", required=True, choices=CURRENCY, wrong_choice="invalid currency")
_SEQUENCES: Final = (Param("start_seq", "integer"), Param("end_seq", "integer"))
_IDS: Final = (Param("start_id"), Param("end_id"))
HISTORY_METHODS: Final[dict[str, Method]] = {
    "public/get_tradingview_chart_data": Method(
        _get_tradingview_chart_data,
        (
            INSTRUMENT,
            *_times(required=True),
            Param("resolution", "any", required=True, choices=frozenset(RESOLUTIONS_S)),
        ),
    ),
    "public/get_volatility_index_data": Method(
        _get_volatility_index_data,
        (
            Param("currency", required=True, choices=frozenset(("BTC", "ETH")), wrong_choice="invalid currency"),
            *_times(required=True),
            Param("resolution", "any", required=True, choices=frozenset(_VOLATILITY_RESOLUTIONS_S)),
        ),
    ),
    "public/get_index_chart_data": Method(
        _get_index_chart_data, (INDEX, Param("range", required=True, choices=frozenset(_RANGES_S)))
    ),
    "public/get_last_trades_by_instrument": Method(
        _get_last_trades_by_instrument, (INSTRUMENT, *_SEQUENCES, *_times(required=False), *_PAGE)
    ),
    "public/get_last_trades_by_instrument_and_time": Method(
        _get_last_trades_by_instrument, (INSTRUMENT, *_times(required=True), *_PAGE)
    ),
    "public/get_last_trades_by_currency": Method(
        _get_last_trades_by_currency, (_COIN, KIND, *_IDS, *_times(required=False), *_PAGE)
    ),
    "public/get_last_trades_by_currency_and_time": Method(
        _get_last_trades_by_currency, (_COIN, KIND, *_times(required=True), *_PAGE)
    ),
}
