"""A client of the pure exchange: strings in, JSON out, time moved by hand."""

import json
from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from cryptomarket.simulator.exchange import Exchange
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.outgoing import Close, Outgoing, Send

NOW_US = 1_795_233_600_000_000
"""2026-11-21 04:00:00 UTC."""
DATA = Path(__file__).parent.parent / "data" / "deribit"


@cache
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / "schema.json").read_bytes())
    return found


def validate(value: object, kind: dict[str, Any]) -> None:
    Draft202012Validator(kind).validate(value)


def validate_reply(method: str, reply: dict[str, Any]) -> None:
    """A reply, good or bad, has the shape that Deribit's specification gives it."""
    validate(reply, schema()["envelope"])
    if "error" in reply:
        validate(reply["error"], schema()["error"])
    else:
        validate(reply["result"], schema()["results"][method])


@dataclass
class Talk:
    """One connection to an exchange of its own, or to a given one."""

    options: SimulatorOptions = field(default_factory=lambda: SimulatorOptions(credits=False))
    now_us: int = NOW_US
    shared: InitVar[Exchange | None] = None
    exchange: Exchange = field(init=False)
    inbox: list[Any] = field(default_factory=list)
    closed: Close | None = None

    def __post_init__(self, shared: Exchange | None) -> None:
        self.exchange = shared or Exchange(self.options, self.now_us)
        self.connection, outgoing = self.exchange.connect("10.0.0.1", self.now_us)
        self.orders: list[Outgoing] = list(outgoing)

    def send(self, text: bytes) -> None:
        self.take(self.exchange.hear(self.connection.id, text, self.now_us))

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        """The reply to a request; what else arrives waits in the inbox."""
        self.send(json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode())
        place = next(place for place, message in enumerate(self.inbox) if message.get("id") == 7)
        reply: dict[str, Any] = self.inbox.pop(place)
        return reply

    def result(self, method: str, **params: object) -> Any:  # noqa: ANN401  # whatever the method answers
        reply = self.ask(method, **params)
        assert "result" in reply, reply
        return reply["result"]

    def error(self, method: str, **params: object) -> dict[str, Any]:
        reply = self.ask(method, **params)
        assert "error" in reply, reply
        error: dict[str, Any] = reply["error"]
        return error

    def login(self, number: int = 1, **params: object) -> dict[str, Any]:
        secret = f"demo-{number}-secret"
        found: dict[str, Any] = self.result(
            "public/auth", grant_type="client_credentials", client_id=f"demo-{number}", client_secret=secret, **params
        )
        return found

    def subscribe(self, *channels: str) -> list[str]:
        found: list[str] = self.result("public/subscribe", channels=list(channels))
        return found

    def pass_time(self, seconds: float, others: Iterable["Talk"] = ()) -> None:
        """Moves time on, moment by moment, as a server does."""
        until_us = self.now_us + round(seconds * 1e6)
        while (due_us := self.exchange.due_us()) is not None and due_us <= until_us:
            self.now_us = max(due_us, self.now_us + 1)
            outgoing = self.exchange.pass_time(self.now_us)
            for talk in (self, *others):
                talk.now_us = self.now_us
                talk.take(outgoing)
        for talk in (self, *others):
            talk.now_us = until_us

    def take(self, outgoing: Iterable[Outgoing]) -> None:
        for order in outgoing:
            if isinstance(order, Send):
                if self.connection.id in order.connections:
                    self.orders.append(order)
                    self.inbox.append(_read(order.text))
            elif order.connection == self.connection.id:
                self.orders.append(order)
                if isinstance(order, Close):
                    self.closed = order
                    self.exchange.disconnect(order.connection)

    def notices(self, channel: str) -> list[Any]:
        """The data of a channel's notifications so far."""
        found = [message["params"] for message in self.inbox if message.get("method") == "subscription"]
        return [params["data"] for params in found if params["channel"] == channel]

    def close_code(self) -> int | None:
        """How the connection ended; 0 when it was cut, None while it is open."""
        return None if self.closed is None else self.closed.code

    def beats(self) -> list[str]:
        return [message["params"]["type"] for message in self.inbox if message.get("method") == "heartbeat"]


def _read(text: bytes) -> Any:  # noqa: ANN401  # whatever was sent
    try:
        return json.loads(text)
    except ValueError:
        return {"unreadable": text}
