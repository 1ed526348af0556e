"""Methods about the connection itself: heartbeats, subscriptions, time and status."""

from typing import Final

from cryptomarket.simulator.connections import Connection
from cryptomarket.simulator.desk import Call, Desk, Method
from cryptomarket.simulator.params import Param
from cryptomarket.simulator.refusals import Refusal, bad_param
from cryptomarket.simulator.spelling import Json

_CHANNELS: Final = (Param("channels", "array", required=True),)


def _set_heartbeat(desk: Desk, call: Call) -> Json:
    _socket(call).set_heartbeat(float(call.params["interval"]), call.now_us)
    return "ok"


def _disable_heartbeat(desk: Desk, call: Call) -> Json:
    _socket(call).disable_heartbeat()
    return "ok"


def _test(desk: Desk, call: Call) -> Json:
    if call.connection is not None:
        call.connection.answer_test()
    if call.params["expected_result"] == "exception":
        raise Refusal(11094)
    return {"version": desk.options.version}


def _hello(desk: Desk, call: Call) -> Json:
    _socket(call).client = f"{call.params['client_name']} {call.params['client_version']}"
    return {"version": desk.options.version}


def _get_time(desk: Desk, call: Call) -> Json:
    return call.clock_us // 1000


def _status(desk: Desk, call: Call) -> Json:
    locked = desk.world.locked
    return {"locked": "partial", "locked_indices": sorted(locked)} if locked else {"locked": "false"}


def _subscribe(desk: Desk, call: Call) -> Json:
    connection, names = _socket(call), call.params["channels"]
    desk.journal.subscribe_calls += 1
    if len(names) > desk.options.max_channels_per_call:
        raise bad_param("channels", f"at most {desk.options.max_channels_per_call} channels")
    signed_in = call.grant is not None
    if not signed_in and any(name.endswith(".raw") and not name.startswith("user.") for name in names):
        # The whole call is refused, good channels included (wire, 2026).
        raise Refusal(13778)
    asked = [name for name in names if call.method.startswith("private/") or not _is_private(name)]
    before = set(connection.channels)
    accepted, call.after = desk.subscriptions.subscribe(connection, asked, call.now_us)
    desk.journal.channels_opened.update(name for name in accepted if name not in before)
    return list(reversed(accepted))


def _unsubscribe(desk: Desk, call: Call) -> Json:
    desk.journal.unsubscribe_calls += 1
    return list(desk.subscriptions.unsubscribe(_socket(call), call.params["channels"]))


def _unsubscribe_all(desk: Desk, call: Call) -> Json:
    connection = _socket(call)
    desk.journal.unsubscribe_calls += 1
    desk.subscriptions.unsubscribe(connection, sorted(connection.channels))
    return "ok"


def _is_private(name: str) -> bool:
    return name.startswith(("user.", "block_rfq.", "block_trade_confirmations"))


def _socket(call: Call) -> Connection:
    if call.connection is None:
        raise Refusal(10030)
    return call.connection


SESSION_METHODS: Final[dict[str, Method]] = {
    "public/set_heartbeat": Method(
        _set_heartbeat, (Param("interval", "number", required=True, minimum=10),), websocket_only=True
    ),
    "public/disable_heartbeat": Method(_disable_heartbeat, websocket_only=True),
    "public/test": Method(_test, (Param("expected_result", choices=frozenset(("exception",))),)),
    "public/hello": Method(
        _hello, (Param("client_name", required=True), Param("client_version", required=True)), websocket_only=True
    ),
    "public/get_time": Method(_get_time),
    "public/status": Method(_status),
    "public/subscribe": Method(_subscribe, _CHANNELS, websocket_only=True),
    "private/subscribe": Method(_subscribe, _CHANNELS, websocket_only=True),
    "public/unsubscribe": Method(_unsubscribe, _CHANNELS, websocket_only=True),
    "private/unsubscribe": Method(_unsubscribe, _CHANNELS, websocket_only=True),
    "public/unsubscribe_all": Method(_unsubscribe_all, websocket_only=True),
    "private/unsubscribe_all": Method(_unsubscribe_all, websocket_only=True),
}
