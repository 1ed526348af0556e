"""The exchange's side of every conversation. Pure: text in, orders to the sockets out, time as an argument."""

import secrets
from collections.abc import Callable

from cryptomarket.simulator.accounts import Accounts, Grant
from cryptomarket.simulator.connections import HEARTBEAT_CLOSE, Connection
from cryptomarket.simulator.credits import Credits
from cryptomarket.simulator.delivery import Delivery
from cryptomarket.simulator.desk import Call, Desk
from cryptomarket.simulator.faults import Faults
from cryptomarket.simulator.incidents import Incidents
from cryptomarket.simulator.journal import Journal
from cryptomarket.simulator.methods import METHODS
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.outgoing import Close, Outgoing
from cryptomarket.simulator.params import check
from cryptomarket.simulator.playback import Playback, read_recording
from cryptomarket.simulator.recorded import recorded_listings
from cryptomarket.simulator.refusals import TOO_MANY_REQUESTS, Refusal, unauthorized
from cryptomarket.simulator.replies import Envelope, Request, Unreadable, read
from cryptomarket.simulator.spelling import Json
from cryptomarket.simulator.subscriptions import Subscriptions
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
        origin_s = now_us / 1e6 if options.origin == "start" else 0.0
        self.world = World(options.seed, origin_s, options.activity, options.index_period_s, now_us)
        playback = self._playback(now_us)
        if playback is not None:
            self.world.adopt(recorded_listings(playback.channels, self.world.listed.values()))
        self.subscriptions = Subscriptions(self.world, options, playback, now_us)
        accounts = Accounts(
            token_life_s=options.token_life_s, window_s=options.signature_window_s,
            max_sessions=options.max_sessions_per_key, random_text=random_text,
        )  # fmt: skip
        self._desk = Desk(self.world, accounts, self.subscriptions, self.journal, options)
        self._credits = Credits(options.pools)
        self._delivery = Delivery(self.faults, self.journal)
        self._incidents = Incidents(self.faults, self._delivery, self.world, self.subscriptions, accounts, self.journal)
        self._numbers = 0
        self.faults.add(options.faults, now_us)

    @property
    def connections(self) -> dict[int, Connection]:
        """The open WebSocket connections by id."""
        return self._delivery.connections

    def connect(self, address: str, now_us: int) -> tuple[Connection, list[Outgoing]]:
        """A WebSocket opened. Whether it may is `admits`."""
        self._numbers += 1
        connection = Connection(self._numbers, address, now_us, self.options, heard_us=now_us, spoke_us=now_us)
        self.connections[connection.id] = connection
        self.journal.connections_opened += 1
        return connection, self._incidents.arrived(connection)

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
        envelope = Envelope(now_us + self._delivery.skew_us, self.options.testnet)
        if len(text) > self.options.max_request_bytes:
            reply = self._error(envelope, Refusal(-32600))
            closes = self.options.request_too_large_closes
            return [*self._delivery.say(connection, reply, now_us), *([Close(number, 1009)] if closes else [])]
        try:
            request = read(text)
        except Unreadable as error:
            envelope = Envelope(envelope.us_in, envelope.testnet, error.id, error.has_id)
            return self._delivery.say(connection, self._error(envelope, error.refusal), now_us)
        return self._answer(connection, request, now_us)

    def ask(
        self, address: str, request: Request, grant_of: Callable[[Accounts, int], Grant | None], now_us: int
    ) -> tuple[int, bytes]:
        """A request over HTTP: (status, body). ``grant_of`` reads the credentials of its headers."""
        envelope = Envelope(now_us + self._delivery.skew_us, self.options.testnet, request.id, request.has_id)
        call = Call(request.method, request.params, now_us, clock_us=now_us + self._delivery.skew_us)
        try:
            self._incidents.obstruct(request, None)
            call.grant = grant_of(self._desk.accounts, call.clock_us)
            body = envelope.result(self._result(call, request, address))
        except Refusal as refusal:
            status = self.options.rate_limit_http_status if refusal.code == TOO_MANY_REQUESTS else 400
            return status, self._error(envelope, refusal)
        return 200, self._delivery.stamped(body)

    def due_us(self) -> int | None:
        """When `pass_time` has something to do; None when nothing is planned."""
        times = [self.world.turns_us, self.subscriptions.due_us(), self._incidents.due_us()]
        times += [connection.due_us() for connection in self.connections.values()]
        return min((time_us for time_us in times if time_us is not None), default=None)

    def pass_time(self, now_us: int) -> list[Outgoing]:
        """Everything that is due: faults, heartbeats, idle sockets, expiries, notifications."""
        outgoing = self._incidents.pass_time(now_us, self.options.maintenance_close_code)
        if self.world.turns_us <= now_us:
            for listing, state in self.world.turn(now_us):
                outgoing += self._delivery.tell(self.subscriptions.say_state(listing, state, now_us), now_us)
        for connection in self.connections.values():
            due_us = connection.due_us()
            if due_us is not None and due_us <= now_us:
                outgoing += self._clock(connection, now_us)
        outgoing += self._delivery.tell(self.subscriptions.advance(now_us), now_us)
        return outgoing

    def _clock(self, connection: Connection, now_us: int) -> list[Outgoing]:
        if connection.heartbeat_s is None:
            return [self._delivery.close(connection, 0, "idle")]
        if connection.overdue(now_us):
            return [self._delivery.close(connection, *HEARTBEAT_CLOSE)]
        spoke_us = connection.spoke_us
        outgoing: list[Outgoing] = []
        for frame in connection.beat(now_us):
            outgoing += self._delivery.say(connection, frame, now_us)
        # A heartbeat is no traffic: the next one comes too when nothing else was said.
        connection.spoke_us = spoke_us
        return outgoing

    def _answer(self, connection: Connection, request: Request, now_us: int) -> list[Outgoing]:
        envelope = Envelope(now_us + self._delivery.skew_us, self.options.testnet, request.id, request.has_id)
        call = Call(request.method, request.params, now_us, connection, clock_us=now_us + self._delivery.skew_us)
        if self._incidents.swallows(request.method, connection):
            return []
        try:
            self._incidents.obstruct(request, connection)
            call.grant = self._grant(connection, request, now_us)
            result = self._result(call, request, connection.address)
        except Refusal as refusal:
            outgoing = self._delivery.say(connection, self._error(envelope, refusal), now_us)
            ends = refusal.ends_session
            return (
                [*outgoing, self._delivery.close(connection, self.options.rate_limit_close_code)] if ends else outgoing
            )
        outgoing = []
        if not call.silent:
            reply = envelope.result(result)
            outgoing = self._delivery.say(connection, reply, now_us)
            self.journal.note_answer(request.method, request.params, self._delivery.stamped(reply))
        outgoing += self._delivery.tell(call.after, now_us)
        if call.close_code is not None:
            outgoing.append(self._delivery.close(connection, call.close_code))
        return outgoing

    def _result(self, call: Call, request: Request, address: str) -> Json:
        # What nobody knows is counted together, or the counts would grow with every invented name.
        self.journal.requests[request.method if request.method in METHODS else "unknown"] += 1
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
