"""One TCP connection: HTTP until it asks to become a WebSocket, then frames.

websockets' sans-I/O layer speaks the protocol; the transport stays in our hands, which is what lets the simulator cut a
connection, stall it, close it with any code, or send bytes that no well-behaved server would.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol, cast

import h11
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import SEND_EOF, State
from websockets.server import ServerProtocol

from cryptomarket.simulator.http_side import HttpAnswer, HttpRequest
from cryptomarket.simulator.options import SimulatorOptions

WEBSOCKET_PATH: Final = "/ws/api/v2"
_HTTP_LIFE_S: Final = 900.0
_CLOSING_S: Final = 2.0
_LARGEST_MESSAGE: Final = 1 << 20
_QUIET: Final = logging.getLogger("cryptomarket.simulator.websocket")
_QUIET.setLevel(logging.WARNING)
_REASONS: Final = {200: b"OK", 201: b"Created", 400: b"Bad Request", 404: b"Not Found", 405: b"Method Not Allowed",
                   413: b"Content Too Large", 422: b"Unprocessable Content", 429: b"Too Many Requests",
                   503: b"Service Unavailable"}  # fmt: skip


class House(Protocol):
    """What a socket needs of the server around it."""

    options: SimulatorOptions

    def enter(self, socket: "Socket", *, websocket: bool) -> HttpAnswer | None: ...
    def opened(self, socket: "Socket") -> None: ...
    def heard(self, socket: "Socket", text: bytes) -> None: ...
    def asked(self, socket: "Socket", request: HttpRequest) -> HttpAnswer: ...
    def left(self, socket: "Socket") -> None: ...


class Socket(asyncio.Protocol):
    """A connection of a client. ``number`` is its id at the exchange once it is a WebSocket."""

    def __init__(self, house: House, clock: Callable[[], float]) -> None:
        self._house, self._clock = house, clock
        self._opened_s = clock()
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 16)
        self._head = b""
        self._request: h11.Request | None = None
        self._body = b""
        self._websocket: ServerProtocol | None = None
        self._message: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._stalled = False
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._outbox: list[bytes] = []
        self.number = 0
        self.address = ""
        self.entered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asked by isinstance: uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else "local"

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._held.clear()
        self._house.left(self)

    def data_received(self, data: bytes) -> None:
        if self._websocket is not None:
            self._websocket_data(self._websocket, data)
            return
        self._head = (self._head + data)[-(1 << 17) :]
        try:
            self._http.receive_data(data)
            self._http_events()
        except h11.RemoteProtocolError as error:
            self._write(b"HTTP/1.1 %d Bad Request\r\nConnection: close\r\n\r\n" % (error.error_status_hint or 400))
            self._hang_up()

    def send_text(self, text: bytes, framed: bytes) -> None:
        """A text frame; ``framed`` is its uncompressed form, shared by all sockets. Leaves with `flush`."""
        socket = self._websocket
        if socket is None or socket.state is not State.OPEN:
            return
        if socket.extensions:
            socket.send_text(text)
            self._outbox += socket.data_to_send()
        else:
            self._outbox.append(framed)

    def send_odd(self, payload: bytes, *, breaks_protocol: bool) -> None:
        """A binary frame, or bytes that are no frame at all."""
        frame = payload if breaks_protocol else Frame(Opcode.BINARY, payload).serialize(mask=False)
        self._outbox.append(frame)

    def flush(self) -> None:
        """Everything that was queued leaves in one write; a reader who lets too much pile up is dropped."""
        if not self._outbox:
            return
        data = b"".join(self._outbox)
        self._outbox.clear()
        self._write(data)

    def close(self, code: int, reason: str) -> None:
        """A closing handshake; code 0 cuts the connection at once."""
        self.flush()
        if code == 0:
            self.cut()
        elif self._websocket is not None and self._websocket.state is State.OPEN:
            self._websocket.send_close(code, reason)
            self._write(b"".join(self._websocket.data_to_send()))
            asyncio.get_running_loop().call_later(_CLOSING_S, self.cut)

    def cut(self) -> None:
        """The TCP connection ends without a closing frame: the client sees 1006."""
        if self._transport is not None:
            self._transport.abort()

    def stall(self, *, on: bool) -> None:
        """Nothing moves, either way, while it is on; afterwards everything held back leaves in order."""
        if self._transport is None or self._transport.is_closing() or on == self._stalled:
            return
        self._stalled = on
        if on:
            self._transport.pause_reading()
            return
        held, self._held, self._held_bytes = b"".join(self._held), [], 0
        self._write(held)
        self._transport.resume_reading()

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or not data:
            return
        if self._stalled:
            self._held.append(data)
            self._held_bytes += len(data)
        else:
            transport.write(data)
        if transport.get_write_buffer_size() + self._held_bytes > self._house.options.max_buffer_bytes:
            transport.abort()

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _http_events(self) -> None:
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                if isinstance(event, h11.ConnectionClosed):
                    self._hang_up()
                return
            if isinstance(event, h11.Request):
                self._request, self._body = event, b""
                if _header(event, b"upgrade").lower() == b"websocket":
                    self._upgrade(event)
                    return
            elif isinstance(event, h11.Data) and len(self._body) <= self._house.options.max_request_bytes:
                self._body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._answer_http()
                if self._http.our_state is not h11.DONE:
                    self._hang_up()
                    return
                self._http.start_next_cycle()

    def _answer_http(self) -> None:
        request = self._request
        if request is None:
            return
        self._head = b""
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in request.headers}
        asked = HttpRequest(request.method.decode(), request.target.decode(), headers, self._body)
        answer = self._house.asked(self, asked)
        old = self._clock() - self._opened_s > _HTTP_LIFE_S
        self._respond(answer, close=old or not self.entered)

    def _respond(self, answer: HttpAnswer, *, close: bool) -> None:
        fields = [
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            ("Cache-Control", "no-store"),
        ]
        if close:
            fields.append(("Connection", "close"))
        head = h11.Response(status_code=answer.status, reason=_REASONS.get(answer.status, b""), headers=fields)
        parts = [
            self._http.send(head),
            self._http.send(h11.Data(data=answer.body)),
            self._http.send(h11.EndOfMessage()),
        ]
        self._write(b"".join(part for part in parts if part))

    def _upgrade(self, request: h11.Request) -> None:
        refusal = self._house.enter(self, websocket=True)
        if request.target.split(b"?")[0] != WEBSOCKET_PATH.encode():
            refusal = HttpAnswer(404, b"Not Found", "text/plain")
        if refusal is not None:
            self._respond(refusal, close=True)
            self._hang_up()
            return
        deflate = ServerPerMessageDeflateFactory(client_max_window_bits=15)
        extensions = [deflate] if self._house.options.compression else None
        self._websocket = ServerProtocol(extensions=extensions, max_size=_LARGEST_MESSAGE, logger=_QUIET)
        head, self._head = self._head, b""
        self._websocket_data(self._websocket, head)

    def _websocket_data(self, socket: ServerProtocol, data: bytes) -> None:
        socket.receive_data(data)
        for event in socket.events_received():
            if isinstance(event, Handshake):
                socket.send_response(socket.accept(event))
                self._drain(socket)
                if socket.state is State.OPEN:
                    self._house.opened(self)
            elif isinstance(event, Frame):
                self._frame(event)
        self._drain(socket)

    def _frame(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        self._message.append(bytes(frame.data))
        if frame.fin:
            text, self._message = b"".join(self._message), []
            self._house.heard(self, text)

    def _drain(self, socket: ServerProtocol) -> None:
        for data in socket.data_to_send():
            if data == SEND_EOF:
                self._hang_up()
            else:
                self._write(data)


def framed(text: bytes) -> bytes:
    """An uncompressed text frame, written once for all sockets."""
    return Frame(Opcode.TEXT, text).serialize(mask=False)


def _header(request: h11.Request, name: bytes) -> bytes:
    return next((value for key, value in request.headers if key == name), b"")
