"""The exchange's side of every conversation. Pure: text in, orders to the sockets out, time as an argument."""

import secrets
from collections.abc import Callable, Iterable

from cryptomarket.simulator.accounts import Accounts, Grant
from cryptomarket.simulator.connections import HEARTBEAT_CLOSE, Connection
from cryptomarket.simulator.credits import Credits
from cryptomarket.simulator.desk import Call, Desk
from cryptomarket.simulator.faults import Faults, Running
from cryptomarket.simulator.journal import Journal
from cryptomarket.simulator.methods import METHODS
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.outgoing import Close, Outgoing, Send, Stall
from cryptomarket.simulator.params import check
from cryptomarket.simulator.playback import Playback, read_recording
from cryptomarket.simulator.refusals import Refusal, unauthorized
from cryptomarket.simulator.replies import Envelope, Request, Unreadable, read
from cryptomarket.simulator.spelling import Json, notification
from cryptomarket.simulator.subscriptions import Notice, Subscriptions
from cryptomarket.simulator.trouble import Trouble, shift_timestamps
from cryptomarket.simulator.world import World


class Exchange:
    """A Deribit without sockets.

    Whoever drives it calls `hear` for each frame, `pass_time` when `due_us` is reached, and does what the answers say.

    Args:
        options: see `SimulatorOptions`.
        now_us: the time of its birth, Unix microseconds.
        random_text: the unguessable part of tokens; given in tests, so that they need no patching.
    """

    def __init__(
        self, options: SimulatorOptions, now_us: int, random_text: Callable[[int], str] = secrets.token_urlsafe
    ) -> None:
        self.options = options
        self.faults = Faults()
        self.journal = Journal(recording=options.recording, limit=options.recording_limit)
        self.connections: dict[int, Connection] = {}
        origin_s = now_us / 1e6 if options.origin == "start" else 0.0
        self.world = World(options.seed, origin_s, options.activity, now_us)
        self.subscriptions = Subscriptions(self.world, options, self._playback(now_us), now_us)
        accounts = Accounts(
            token_life_s=options.token_life_s, window_s=options.signature_window_s,
            max_sessions=options.max_sessions_per_key, random_text=random_text,
        )  # fmt: skip
        self._desk = Desk(self.world, accounts, self.subscriptions, self.journal, options)
        self._credits = Credits(options.pools)
        self._trouble = Trouble(self.faults)
        self._skew_us = 0
        self._closing_us: list[int] = []
        self._numbers = 0
        self.faults.add(options.faults, now_us)

    def connect(self, address: str, now_us: int) -> tuple[Connection, list[Outgoing]]:
        """A WebSocket opened. Whether it may is `admits`."""
        self._numbers += 1
        connection = Connection(self._numbers, address, now_us, self.options, heard_us=now_us, spoke_us=now_us)
        self.connections[connection.id] = connection
        self.journal.connections_opened += 1
        stalled = any(running.hits_connection(connection.id, "") for running in self.faults.on("stall"))
        return connection, [Stall(connection.id, on=True)] if stalled else []

    def admits(self, open_from_address: int) -> int | None:
        """The HTTP status that refuses one more connection of an address; None when it may come in."""
        refusals = self.faults.on("refuse_connections")
        if refusals:
            refusals[0].applied += 1
        if refusals or self.faults.on("maintenance"):
            self.journal.connections_refused += 1
            return 503
        if open_from_address >= self.options.max_connections_per_address:
            self.journal.connections_refused += 1
            return 429
        return None

    def disconnect(self, number: int) -> None:
        """A WebSocket is gone, whoever ended it."""
        connection = self.connections.pop(number, None)
        if connection is not None:
            connection.gone = True
            self.subscriptions.unsubscribe(connection, sorted(connection.channels))
            self._desk.accounts.hang_up(number)

    def hear(self, number: int, text: bytes, now_us: int) -> list[Outgoing]:
        """A frame of a client."""
        connection = self.connections.get(number)
        if connection is None:
            return []
        connection.heard_us = now_us
        envelope = Envelope(now_us + self._skew_us, self.options.testnet)
        if len(text) > self.options.max_request_bytes:
            reply = self._error(envelope, Refusal(-32600))
            closes = self.options.request_too_large_closes
            return [*self._say([number], reply, now_us), *([Close(number, 1009)] if closes else [])]
        try:
            request = read(text)
        except Unreadable as error:
            envelope = Envelope(envelope.us_in, envelope.testnet, error.id, error.has_id)
            return self._say([number], self._error(envelope, error.refusal), now_us)
        return self._answer(connection, request, now_us)

    def ask(
        self, address: str, request: Request, grant_of: Callable[[Accounts, int], Grant | None], now_us: int
    ) -> tuple[int, bytes]:
        """A request over HTTP: (status, body). ``grant_of`` reads the credentials of its headers."""
        envelope = Envelope(now_us + self._skew_us, self.options.testnet, request.id, request.has_id)
        call = Call(request.method, request.params, now_us, clock_us=now_us + self._skew_us)
        try:
            self._obstruct(request.method, None, "")
            call.grant = grant_of(self._desk.accounts, call.clock_us)
            body = envelope.result(self._result(call, request, address))
        except Refusal as refusal:
            status = self.options.rate_limit_http_status if refusal.code == 10028 else 400
            return status, self._error(envelope, refusal)
        return 200, shift_timestamps(body, self._skew_us) if self._skew_us else body

    def due_us(self) -> int | None:
        """When `pass_time` has something to do; None when nothing is planned."""
        times = [self.world.turns_us, self.subscriptions.due_us(), self.faults.due_us(), *self._closing_us]
        times += [connection.due_us() for connection in self.connections.values()]
        return min((time_us for time_us in times if time_us is not None), default=None)

    def pass_time(self, now_us: int) -> list[Outgoing]:
        """Everything that is due: faults, heartbeats, idle sockets, expiries, notifications."""
        outgoing: list[Outgoing] = []
        faults_due_us = self.faults.due_us()
        if faults_due_us is not None and faults_due_us <= now_us:
            for running in self.faults.turn(now_us):
                outgoing += self._turn(running, now_us)
        if any(time_us <= now_us for time_us in self._closing_us):
            self._closing_us = [time_us for time_us in self._closing_us if time_us > now_us]
            outgoing += [Close(number, self.options.maintenance_close_code) for number in self.connections]
        if self.world.turns_us <= now_us:
            for listing, state in self.world.turn(now_us):
                outgoing += self._tell(self.subscriptions.say_state(listing, state, now_us), now_us)
        for connection in self.connections.values():
            due_us = connection.due_us()
            if due_us is not None and due_us <= now_us:
                outgoing += self._clock(connection, now_us)
        outgoing += self._tell(self.subscriptions.advance(now_us), now_us)
        return outgoing

    def _clock(self, connection: Connection, now_us: int) -> list[Outgoing]:
        if connection.heartbeat_s is None:
            return [self._close(connection, 0, "idle")]
        if connection.overdue(now_us):
            return [self._close(connection, *HEARTBEAT_CLOSE)]
        spoke_us = connection.spoke_us
        outgoing: list[Outgoing] = []
        for frame in connection.beat(now_us):
            outgoing += self._say([connection.id], frame, now_us)
        # A heartbeat is no traffic: the next one comes too when nothing else was said.
        connection.spoke_us = spoke_us
        return outgoing

    def _answer(self, connection: Connection, request: Request, now_us: int) -> list[Outgoing]:
        number = connection.id
        envelope = Envelope(now_us + self._skew_us, self.options.testnet, request.id, request.has_id)
        call = Call(request.method, request.params, now_us, connection, clock_us=now_us + self._skew_us)
        if self._muted(request.method, connection):
            return []
        try:
            self._obstruct(request.method, number, connection.client_id)
            call.grant = self._grant(connection, request, now_us)
            result = self._result(call, request, connection.address)
        except Refusal as refusal:
            outgoing = self._say([number], self._error(envelope, refusal), now_us)
            ends = refusal.ends_session
            return [*outgoing, self._close(connection, self.options.rate_limit_close_code)] if ends else outgoing
        outgoing = [] if call.silent else self._say([number], envelope.result(result), now_us)
        outgoing += self._tell(call.after, now_us)
        if call.close_code is not None:
            outgoing.append(self._close(connection, call.close_code))
        return outgoing

    def _result(self, call: Call, request: Request, address: str) -> Json:
        self.journal.requests[request.method] += 1
        caller = call.grant.account.client_id if call.grant else address
        if self.options.credits and not self._credits.take(caller, request.method, call.now_us):
            raise Refusal(10028, ends_session=True)
        method = METHODS.get(request.method)
        if method is None:
            raise Refusal(-32601)
        if method.websocket_only and call.connection is None:
            raise Refusal(10030)
        if request.method.startswith("private/") and call.grant is None:
            raise unauthorized(self._why_not(call, request))
        call.params = check(method.params, request.params)
        return method.answer(self._desk, call)

    def _grant(self, connection: Connection, request: Request, now_us: int) -> Grant | None:
        given = request.params.get("access_token")
        if given is None:
            given = connection.grant.access_token if connection.grant else None
        return self._desk.accounts.find(given, now_us)

    def _why_not(self, call: Call, request: Request) -> str:
        given = request.params.get("access_token")
        if given is None and call.connection is not None and call.connection.grant is not None:
            given = call.connection.grant.access_token
        return self.options.expired_token_reason if self._desk.accounts.known(given) else "invalid_token"

    def _muted(self, method: str, connection: Connection) -> bool:
        for running in self.faults.on("mute"):
            if running.hits_method(method) and running.hits_connection(connection.id, connection.client_id):
                running.applied += 1
                return True
        return False

    def _obstruct(self, method: str, number: int | None, client_id: str) -> None:
        for running in self.faults.on("maintenance", "too_many_requests", "refuse", "refuse_logins"):
            kind = running.fault.kind
            hits = running.hits_method(method) if kind != "refuse_logins" else method == "public/auth"
            if not hits or (number is not None and not running.hits_connection(number, client_id)):
                continue
            running.applied += 1
            if kind == "refuse_logins":
                self.journal.logins_refused += 1
            code = {"maintenance": 11051, "too_many_requests": 10028}.get(kind, running.fault.code)
            raise Refusal(code, ends_session=code == 10028)

    def _turn(self, running: Running, now_us: int) -> list[Outgoing]:
        starts, fault = running.phase == "on", running.fault
        match fault.kind:
            case "drop":
                found = self._hit(running) if starts else []
                return [self._close(item, fault.close_code, "fault") for item in found[: fault.count]]
            case "stall":
                return [Stall(item.id, on=starts) for item in self._hit(running)[: fault.count]]
            case "reorder" if not starts:
                return self._trouble.release(running)
            case "expire_tokens" if starts:
                running.applied += self._desk.accounts.expire(lambda name: running.hits_connection(-1, name), now_us)
            case "clock_skew":
                self._skew_us += fault.skew_ms * (1000 if starts else -1000)
            case "maintenance" if starts:
                if fault.close_after_s is not None:
                    self._closing_us.append(now_us + int(fault.close_after_s * 1e6))
                return self._tell(self.subscriptions.say("platform_state", {"maintenance": True}), now_us)
            case "lock_index":
                return self._lock(fault.names, starts, now_us)
            case "instrument_state":
                return self._restate(running, fault.state if starts else "open", now_us)
        return []

    def _lock(self, names: Iterable[str], locked: bool, now_us: int) -> list[Outgoing]:
        outgoing: list[Outgoing] = []
        for name in names:
            (self.world.locked.add if locked else self.world.locked.discard)(name)
            data: Json = {"price_index": name, "locked": locked}
            outgoing += self._tell(self.subscriptions.say("platform_state", data), now_us)
        return outgoing

    def _restate(self, running: Running, state: str, now_us: int) -> list[Outgoing]:
        outgoing: list[Outgoing] = []
        for listing in self.world.named(running.fault.names):
            self.world.tickers.states[listing.name] = state
            outgoing += self._tell(self.subscriptions.say_state(listing, state, now_us), now_us)
        return outgoing

    def _hit(self, running: Running) -> list[Connection]:
        found = [item for item in self.connections.values() if running.hits_connection(item.id, item.client_id)]
        running.applied += len(found)
        return found

    def _tell(self, notices: Iterable[Notice], now_us: int) -> list[Outgoing]:
        outgoing: list[Outgoing] = []
        troubled = self.faults.touches_notifications()
        for notice in notices:
            frame = notification(notice.channel, notice.data)
            if self._skew_us:
                frame = shift_timestamps(frame, self._skew_us)
            if troubled:
                sent = self._trouble.apply(notice.channel, frame, notice.connections, self.connections)
            else:
                sent = [Send(notice.connections, frame)]
            for item in sent:
                if isinstance(item, Send):
                    self._count(item.connections, now_us)
                    self.journal.note(notice.channel, item.connections, item.text, now_us)
            outgoing += sent
        return outgoing

    def _say(self, numbers: list[int], frame: bytes, now_us: int) -> list[Outgoing]:
        self._count(numbers, now_us)
        self.journal.frames += len(numbers)
        return [Send(numbers, shift_timestamps(frame, self._skew_us) if self._skew_us else frame)]

    def _count(self, numbers: Iterable[int], now_us: int) -> None:
        for number in numbers:
            connection = self.connections[number]
            connection.spoke_us = now_us
            connection.frames_sent += 1

    def _close(self, connection: Connection, code: int, reason: str = "") -> Close:
        self.journal.closes[f"{code} {reason}".strip()] += 1
        return Close(connection.id, code, reason if code else "")

    def _error(self, envelope: Envelope, refusal: Refusal) -> bytes:
        self.journal.errors[refusal.code] += 1
        return envelope.error(refusal)

    def _playback(self, now_us: int) -> Playback | None:
        options = self.options
        if options.playback is None:
            return None
        return Playback(
            read_recording(options.playback), speed=options.playback_speed, loop=options.playback_loop,
            restamp=options.playback_restamp, now_us=now_us,
        )  # fmt: skip
