"""The paths under ``/simulator``: faults in, what happened out. Deribit has nothing like them."""

import msgspec

from cryptomarket.simulator.exchange import Exchange
from cryptomarket.simulator.faults import BadScript, Running, read_script
from cryptomarket.simulator.http_side import HttpAnswer, HttpRequest

CONTROL_PATH = "/simulator"


def control(exchange: Exchange, request: HttpRequest, now_us: int) -> HttpAnswer:
    """Answers a control request.

    ``GET state`` counts and connections · ``GET|POST|DELETE faults`` what goes wrong · ``GET|DELETE sent`` the log ·
    ``POST recording`` with ``true`` or ``false``.
    """
    match request.method, request.path.removeprefix(CONTROL_PATH).strip("/"):
        case "GET", "state":
            return _json(state(exchange, now_us))
        case "GET", "faults":
            return _json({"faults": exchange.faults.report()})
        case "POST", "faults":
            return _add(exchange, request.body, now_us)
        case "DELETE", "faults":
            exchange.faults.clear(now_us)
            return _json({"faults": []})
        case "GET", "sent":
            query = dict(request.query)
            connection = query.get("connection", "")
            number = int(connection) if connection.isdecimal() else None
            after = query.get("after", "0")
            log = exchange.journal.sent(query.get("channel"), number, int(after) if after.isdecimal() else 0)
            return HttpAnswer(200, log)
        case "DELETE", "sent":
            exchange.journal.clear()
            return _json({})
        case "POST", "recording":
            exchange.journal.recording = request.body.strip() != b"false"
            return _json({"recording": exchange.journal.recording})
    return HttpAnswer(404, b'{"detail": "unknown control path"}')


def state(exchange: Exchange, now_us: int) -> dict[str, object]:
    """Connections, subscriptions and counters as plain values."""
    journal = exchange.journal
    return {
        "now_us": now_us,
        "connections": [
            {
                "id": item.id,
                "address": item.address,
                "opened_us": item.opened_us,
                "client": item.client,
                "client_id": item.client_id,
                "heartbeat_s": item.heartbeat_s,
                "frames_sent": item.frames_sent,
                "channels": sorted(item.channels),
            }
            for item in exchange.connections.values()
        ],
        "channels": exchange.subscriptions.followers(),
        "channels_opened": dict(journal.channels_opened),
        "connections_opened": journal.connections_opened,
        "connections_refused": journal.connections_refused,
        "frames_sent": journal.frames,
        "notifications_sent": journal.notifications,
        "requests": dict(journal.requests),
        "subscribe_calls": journal.subscribe_calls,
        "unsubscribe_calls": journal.unsubscribe_calls,
        "logins": journal.logins,
        "logins_refused": journal.logins_refused,
        "errors": {str(code): count for code, count in journal.errors.items()},
        "closes": dict(journal.closes),
        "recording": journal.recording,
        "faults": exchange.faults.report(),
    }


def _add(exchange: Exchange, body: bytes, now_us: int) -> HttpAnswer:
    try:
        added: list[Running] = exchange.faults.add(read_script(body), now_us)
    except BadScript as error:
        return HttpAnswer(422, msgspec.json.encode({"detail": str(error)}))
    return HttpAnswer(201, msgspec.json.encode({"added": [running.id for running in added]}))


def _json(value: object) -> HttpAnswer:
    return HttpAnswer(200, msgspec.json.encode(value))
