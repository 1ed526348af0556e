"""The simulator as a server: one port for WebSocket, HTTP and the control paths."""

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final

import uvloop

from cryptomarket.simulator.control import CONTROL_PATH, control, state
from cryptomarket.simulator.exchange import Exchange
from cryptomarket.simulator.faults import Fault
from cryptomarket.simulator.http_side import API_PATH, HttpAnswer, HttpRequest, answer
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.outgoing import Close, Outgoing, Send, SendBytes, Stall
from cryptomarket.simulator.sockets import WEBSOCKET_PATH, Socket, framed

_SHORTEST_NAP_S: Final = 0.001
_LONGEST_NAP_S: Final = 60.0


class RunningSimulator:
    """A simulator that listens. Made by `running` or `serve`.

    Args:
        options: see `SimulatorOptions`.
        wall_s: the time of its birth, Unix seconds.
        clock: seconds that only grow; the exchange's time is its birth plus what passed on this clock.
    """

    def __init__(self, options: SimulatorOptions, *, wall_s: float, clock: Callable[[], float]) -> None:
        self.options = options
        self.port = 0
        self._clock = clock
        self._began_us = int(wall_s * 1e6) - int(clock() * 1e6)
        self.exchange = Exchange(options, self.now_us())
        self._sockets: dict[int, Socket] = {}
        self._everyone: set[Socket] = set()
        self._addresses: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self._server: asyncio.Server | None = None

    @property
    def ws_url(self) -> str:
        return f"ws://{self.options.host}:{self.port}{WEBSOCKET_PATH}"

    @property
    def http_url(self) -> str:
        """The address before ``/api/v2/…`` and ``/simulator/…``."""
        return f"http://{self.options.host}:{self.port}"

    def now_us(self) -> int:
        """The exchange's time, Unix microseconds."""
        return self._began_us + int(self._clock() * 1e6)

    def add_faults(self, *faults: Fault) -> None:
        """Hands a script over; its times count from now."""
        self.exchange.faults.add(faults, self.now_us())
        self._pump()

    def clear_faults(self) -> None:
        """Ends all trouble."""
        self.exchange.faults.clear(self.now_us())
        self._pump()

    def state(self) -> dict[str, object]:
        """What ``GET /simulator/state`` answers."""
        return state(self.exchange, self.now_us())

    async def start(self) -> None:
        """Listens. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._socket, self.options.host, self.options.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        self._pump()

    async def stop(self) -> None:
        """Stops listening and cuts every connection."""
        if self._timer is not None:
            self._timer.cancel()
        if self._server is not None:
            self._server.close()
        for socket in list(self._everyone):
            socket.cut()
        if self._server is not None:
            await self._server.wait_closed()

    def enter(self, socket: Socket, *, websocket: bool) -> HttpAnswer | None:
        """Counts a connection under its address, once; answers what refuses it."""
        if socket.entered:
            return None
        if websocket or self._addresses[socket.address] >= self.options.max_connections_per_address:
            status = self.exchange.admits(self._addresses[socket.address])
            if status is not None:
                return HttpAnswer(status, b"refused", "text/plain")
        socket.entered = True
        self._addresses[socket.address] += 1
        return None

    def opened(self, socket: Socket) -> None:
        connection, outgoing = self.exchange.connect(socket.address, self.now_us())
        socket.number = connection.id
        self._sockets[connection.id] = socket
        self._obey(outgoing)
        self._rearm()

    def heard(self, socket: Socket, text: bytes) -> None:
        self._obey(self.exchange.hear(socket.number, text, self.now_us()))
        self._rearm()

    def asked(self, socket: Socket, request: HttpRequest) -> HttpAnswer:
        if self.options.control and request.path.startswith(CONTROL_PATH):
            # Watching the simulator costs no connection.
            reply = control(self.exchange, request, self.now_us())
            self._pump()
            return reply
        refusal = self.enter(socket, websocket=False)
        if refusal is not None:
            return refusal
        if not request.path.startswith(API_PATH):
            return HttpAnswer(404, b"Not Found", "text/plain")
        reply = answer(self.exchange, request, socket.address, self.now_us())
        self._rearm()
        return reply

    def left(self, socket: Socket) -> None:
        self._everyone.discard(socket)
        if socket.entered:
            self._addresses[socket.address] -= 1
        if self._sockets.pop(socket.number, None) is not None:
            self.exchange.disconnect(socket.number)

    def _socket(self) -> Socket:
        socket = Socket(self, self._clock)
        self._everyone.add(socket)
        return socket

    def _pump(self) -> None:
        self._timer = None
        self._obey(self.exchange.pass_time(self.now_us()))
        self._rearm()

    def _rearm(self) -> None:
        due_us = self.exchange.due_us()
        nap_s = _LONGEST_NAP_S if due_us is None else (due_us - self.now_us()) / 1e6
        loop = asyncio.get_running_loop()
        at_s = loop.time() + min(max(nap_s, _SHORTEST_NAP_S), _LONGEST_NAP_S)
        if self._timer is not None:
            if self._timer.when() <= at_s:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at_s, self._pump)

    def _obey(self, outgoing: Iterable[Outgoing]) -> None:
        touched: dict[int, Socket] = {}
        for order in outgoing:
            if isinstance(order, Send):
                frame = framed(order.text)
                for number in order.connections:
                    socket = self._sockets.get(number)
                    if socket is not None:
                        socket.send_text(order.text, frame)
                        touched[number] = socket
            else:
                socket = self._sockets.get(order.connection)
                if socket is not None:
                    touched[order.connection] = socket
                    _order(socket, order)
        for socket in touched.values():
            socket.flush()


def _order(socket: Socket, order: SendBytes | Close | Stall) -> None:
    match order:
        case SendBytes(payload=payload, breaks_protocol=breaks):
            socket.send_odd(payload, breaks_protocol=breaks)
        case Close(code=code, reason=reason):
            socket.close(code, reason)
        case Stall(on=on):
            socket.flush()
            socket.stall(on=on)


@asynccontextmanager
async def running(options: SimulatorOptions) -> AsyncIterator[RunningSimulator]:
    """A listening simulator in this process, for tests; port 0 takes a free one."""
    simulator = RunningSimulator(options, wall_s=time.time(), clock=time.monotonic)
    await simulator.start()
    try:
        yield simulator
    finally:
        await simulator.stop()


async def serve(
    options: SimulatorOptions,
    *,
    ready: Callable[[str, int], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Runs until ``stop`` is set; ``ready`` is called with host and port once it listens."""
    async with running(options) as simulator:
        if ready is not None:
            ready(options.host, simulator.port)
        await (stop or asyncio.Event()).wait()


def simulate(options: SimulatorOptions, *, until_pipe_closes: bool = False) -> None:
    """Runs the simulator alone until SIGINT or SIGTERM, and says on stdout where it listens.

    Args:
        options: see `SimulatorOptions`.
        until_pipe_closes: end when stdin reaches its end, so that a child dies with the parent that holds the pipe.
    """
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_simulate(options, until_pipe_closes=until_pipe_closes))


async def _simulate(options: SimulatorOptions, *, until_pipe_closes: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if until_pipe_closes:
        await loop.connect_read_pipe(lambda: _PipeEnd(stop), sys.stdin)
    await serve(options, ready=_announce, stop=stop)


def _announce(host: str, port: int) -> None:
    sys.stdout.write(f"simulator listening on ws://{host}:{port}{WEBSOCKET_PATH}\n")
    sys.stdout.flush()


class _PipeEnd(asyncio.Protocol):
    """Watches a pipe that carries nothing but its own end."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop.set()
