"""Scripted trouble: what goes wrong, for whom, from when, for how long."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, Literal

import msgspec

FaultKind = Literal[
    "drop",
    "stall",
    "silence",
    "duplicate",
    "reorder",
    "malformed",
    "too_many_requests",
    "refuse",
    "mute",
    "maintenance",
    "clock_skew",
    "expire_tokens",
    "refuse_logins",
    "refuse_connections",
    "lock_index",
    "instrument_state",
]
INSTANT: Final = frozenset(("drop", "expire_tokens"))
"""Kinds that happen once at their start; all others last."""
_ALL: Final = ("*",)
ON_NOTIFICATIONS: Final = ("silence", "duplicate", "reorder", "malformed")


class BadScript(ValueError):
    """A fault script cannot be read. The message says where."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One step of a script.

    Attributes:
        kind: what goes wrong.
        at_s: start, seconds after the script was handed over.
        duration_s: how long; None for ever. Without meaning for `INSTANT` kinds.
        channels: channel patterns (``*``, ``?``) for kinds that touch notifications; ``refuse`` with other ones than
            ``*`` is for requests that name such a channel.
        methods: method patterns for kinds that touch requests.
        clients: client id patterns; ``*`` includes connections that never logged in.
        connections: connection ids; None for all of them.
        count: how often it is applied at most; None without limit. For ``drop`` and ``stall`` the
            number of connections, oldest first.
        close_code: ``drop`` with a close frame of this code; 0 cuts the TCP connection.
        code: error code of ``refuse`` and ``refuse_logins``.
        shape: ``malformed`` as text that breaks off (``json``), a frame that breaks the protocol (``frame``), binary
            bytes (``binary``), or a price that is text (``type``).
        skew_ms: ``clock_skew``, positive when the exchange's clock runs ahead.
        close_after_s: ``maintenance`` ends the connections after this; None leaves them open.
        names: index names of ``lock_index``, instrument name patterns of ``instrument_state``.
        state: the state that ``instrument_state`` puts instruments in.
    """

    kind: FaultKind
    at_s: float = 0.0
    duration_s: float | None = None
    channels: tuple[str, ...] = _ALL
    methods: tuple[str, ...] = _ALL
    clients: tuple[str, ...] = _ALL
    connections: tuple[int, ...] | None = None
    count: int | None = None
    close_code: int = 0
    code: int = 13004
    shape: Literal["json", "frame", "binary", "type"] = "json"
    skew_ms: int = 0
    close_after_s: float | None = 1.0
    names: tuple[str, ...] = ()
    state: str = "halted"


@dataclass(slots=True)
class Running:
    """A fault with its place in time. ``applied`` counts what it has touched."""

    id: int
    fault: Fault
    starts_us: int
    ends_us: int | None
    phase: Literal["waiting", "on", "over"] = "waiting"
    applied: int = 0

    def exhausted(self) -> bool:
        """Whether its count is used up."""
        return self.fault.count is not None and self.applied >= self.fault.count

    def hits_channel(self, name: str) -> bool:
        """Whether notifications of a channel are meant."""
        return _any(self.fault.channels, name)

    def hits_method(self, name: str) -> bool:
        """Whether requests of a method are meant."""
        return _any(self.fault.methods, name)

    def hits_request(self, method: str, params: Mapping[str, object]) -> bool:
        """Whether a request is meant, by its method and the channels that it names."""
        if not self.hits_method(method) or self.fault.channels == _ALL:
            return self.hits_method(method)
        named = params.get("channels")
        return isinstance(named, list) and any(isinstance(name, str) and self.hits_channel(name) for name in named)

    def hits_connection(self, connection: int, client_id: str) -> bool:
        """Whether a connection is meant; ``client_id`` is empty before a login."""
        ids = self.fault.connections
        return (ids is None or connection in ids) and self.hits_client(client_id)

    def hits_client(self, client_id: str) -> bool:
        """Whether a client id is meant."""
        return _any(self.fault.clients, client_id)


class Faults:
    """The faults of an exchange, past and to come."""

    def __init__(self) -> None:
        self._all: list[Running] = []
        self._on: dict[FaultKind, list[Running]] = {}
        self._numbers = 0

    def add(self, script: Sequence[Fault], now_us: int) -> list[Running]:
        """Takes a script over; its times count from now."""
        added: list[Running] = []
        for fault in script:
            self._numbers += 1
            starts_us = now_us + int(fault.at_s * 1e6)
            lasts_us = 0 if fault.kind in INSTANT else None if fault.duration_s is None else int(fault.duration_s * 1e6)
            ends_us = None if lasts_us is None else starts_us + lasts_us
            added.append(Running(self._numbers, fault, starts_us, ends_us))
        self._all = [known for known in self._all if known.phase != "over"] + added
        return added

    def clear(self, now_us: int) -> None:
        """Ends what is on at the next `turn` and forgets what is to come."""
        for known in self._all:
            if known.phase == "waiting":
                known.phase = "over"
            elif known.phase == "on":
                known.ends_us = now_us

    def turn(self, now_us: int) -> list[Running]:
        """Starts and ends what is due; answers those whose phase changed, in order of time."""
        turned: list[Running] = []
        for known in sorted(self._all, key=lambda running: running.starts_us):
            if known.phase == "waiting" and known.starts_us <= now_us:
                known.phase = "on"
                self._on.setdefault(known.fault.kind, []).append(known)
                turned.append(known)
            elif known.phase == "on" and known.ends_us is not None and known.ends_us <= now_us:
                known.phase = "over"
                self._on[known.fault.kind].remove(known)
                turned.append(known)
        return turned

    def due_us(self) -> int | None:
        """When something starts or ends next."""
        times = [known.starts_us for known in self._all if known.phase == "waiting"]
        times += [known.ends_us for known in self._all if known.phase == "on" and known.ends_us is not None]
        return min(times, default=None)

    def on(self, *kinds: FaultKind) -> list[Running]:
        """Faults of some kinds that hold now and are not used up."""
        return [known for kind in kinds for known in self._on.get(kind, ()) if not known.exhausted()]

    def touches_notifications(self) -> bool:
        """Whether any fault could change a notification; asked for every frame, so it is quick."""
        return any(self._on.get(kind) for kind in ON_NOTIFICATIONS)

    def report(self) -> list[dict[str, str | int | None]]:
        """Every fault that is not over, for the control path."""
        return [
            {
                "id": known.id,
                "kind": known.fault.kind,
                "phase": known.phase,
                "applied": known.applied,
                "starts_us": known.starts_us,
                "ends_us": known.ends_us,
            }
            for known in self._all
            if known.phase != "over"
        ]


def read_script(text: bytes) -> tuple[Fault, ...]:
    """A script from JSON: one fault, a list of faults, or an object with a list named ``faults``.

    Raises:
        BadScript: it is not JSON, or a fault has a wrong field.
    """
    try:
        shape = msgspec.json.decode(text)
        if isinstance(shape, dict) and "faults" in shape:
            shape = shape["faults"]
        return msgspec.convert([shape] if isinstance(shape, dict) else shape, tuple[Fault, ...])
    except msgspec.MsgspecError as error:
        raise BadScript(str(error)) from error


def read_script_file(path: Path) -> tuple[Fault, ...]:
    """A script from a file. Raises what `read_script` raises."""
    return read_script(path.read_bytes())


def spoil_type(frame: bytes) -> bytes:
    """The frame with its first price as text: JSON, but not what the field promises."""
    return re.sub(rb'"(price|last_price|mark_price|index_price)":([-0-9.e+]+)', rb'"\1":"\2x"', frame, count=1)


def _any(patterns: tuple[str, ...], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
