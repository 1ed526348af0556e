"""The gateway as a process: the parts, the HTTP server over them, the banner, and an orderly end."""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import uuid4

import structlog
import uvicorn

from cryptomarket import __version__
from cryptomarket.app import create_app
from cryptomarket.clock import Clock
from cryptomarket.companion import simulator_beside
from cryptomarket.doorkeeper import Doorkeeper
from cryptomarket.errors import StartRefused
from cryptomarket.foundation import alone, database_address
from cryptomarket.heaps import bound_heaps
from cryptomarket.live.hub import Hub
from cryptomarket.live.transport import LineProtocol
from cryptomarket.market.instruments import Exchange
from cryptomarket.problems import MEDIA_TYPE, TITLES, Problem
from cryptomarket.roles.role import Role, check_role
from cryptomarket.runtime import running
from cryptomarket.settings import Settings

log = structlog.get_logger(__name__)

BACKLOG = 2048
HEAD_LIMIT_BYTES = 65_536
COLLECTOR_THRESHOLDS = (50_000, 20, 50)
ADDRESSES = {
    Exchange.PRODUCTION: "wss://www.deribit.com/ws/api/v2",
    Exchange.TEST: "wss://test.deribit.com/ws/api/v2",
}


class Wire(LineProtocol):
    """A connection. What can't be read as HTTP is answered with a problem document, too, and an id.

    The library keeps what has come of a request's head until it is whole. Bound: HEAD_LIMIT_BYTES, and one read; and a
    connection that has no whole head within `head_deadline_s` is closed.
    """

    head_deadline_s: ClassVar[float] = 20.0
    __slots__ = ("_deadline", "_head_bytes", "_is_in_head")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the library has it
        """Somebody has come."""
        self._is_in_head = False
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """He is gone."""
        self._end_wait()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A head has begun."""
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0
        if self._deadline is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._is_in_head = False
        self._end_wait()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._deadline = asyncio.get_running_loop().call_later(self.head_deadline_s, self._head_is_late)

    def _end_wait(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_is_late(self) -> None:
        self._deadline = None
        if self._is_in_head:
            self.send_400_response(f"The head of a request takes at most {self.head_deadline_s:g} seconds.")
        else:
            self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Another protocol was offered, and HTTP goes on (RFC 9110, 7.8): nothing that an operator should mend."""

    def data_received(self, data: bytes) -> None:
        """Reads on, unless a head takes no end."""
        super().data_received(data)
        if self._is_in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT_BYTES:
                self.send_400_response(f"The head of a request is at most {HEAD_LIMIT_BYTES} bytes.")

    def send_400_response(self, msg: str) -> None:
        """Answers and closes; `msg` is the library's sentence, or ours. In the midst of an answer it only closes."""
        # The one that is answered, and not the one that came last.
        cycle = self._answered
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.close()
            return
        request_id = str(uuid4())
        problem = Problem(title=TITLES[400], status=400, detail=msg, request_id=request_id)
        body = problem.model_dump_json(exclude_none=True).encode()
        head = (
            f"HTTP/1.1 400 Bad Request\r\nx-request-id: {request_id}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        log.info("request", method=None, path=None, status=400, duration_ms=0.0, request_id=request_id)
        self.transport.write(head.encode() + body)
        self.transport.close()


def wire_of(seconds: float) -> type[Wire]:
    """Connections whose heads may take so long."""

    class Timed(Wire):
        __slots__ = ()
        head_deadline_s = seconds

    return Timed


class Server(uvicorn.Server):
    """Ends streams before connections: the framework's shutdown would wait for open streams, which end only when told.

    Signals are the process's matter, and not taken over.
    """

    def __init__(
        self, config: uvicorn.Config, hub: Hub | None, banner: str, doorkeeper: Doorkeeper | None = None
    ) -> None:
        super().__init__(config)
        self._hub = hub
        self._doorkeeper = doorkeeper
        self._banner = banner

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes over no signal."""
        yield

    async def startup(self, sockets: "list[object] | None" = None) -> None:  # type: ignore[override]
        """Prints the banner once connections are accepted."""
        await super().startup(sockets=sockets)  # type: ignore[arg-type]
        if self.started and self.servers:
            port = self.servers[0].sockets[0].getsockname()[1]
            sys.stdout.write(self._banner.replace("{port}", str(port)))
            sys.stdout.flush()
            log.info("started", version=__version__, port=port)

    def stop(self) -> None:
        """Tells every stream `shutdown`, and all who wait for an answer; then stops. The second time, stops at once."""
        log.info("stopping", hurried=self.should_exit, streams=len(self._hub.seats) if self._hub is not None else 0)
        if self.should_exit:
            self.force_exit = True
        if self._hub is not None:
            self._hub.drain()
        if self._doorkeeper is not None:
            self._doorkeeper.close()
        self.should_exit = True


def _settle_memory() -> None:
    """What start has built lives as long as the process: the cyclic collector need not look at it again and again, nor
    so often at the rest, since streams and events are freed by counting. Looking was most of the tail of a delivery.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def exchange_address(settings: Settings) -> str:
    """Where the exchange is; the simulator's port is the one that the settings name."""
    simulator = f"ws://127.0.0.1:{settings.simulator_port}/ws/api/v2"
    return settings.deribit_ws_url or ADDRESSES.get(settings.exchange, simulator)


def banner(settings: Settings, ws_url: str, role: Role = Role.ALL) -> str:
    """What a person sees first: which exchange is behind, where to look, and a line to try. `{port}` is filled in."""
    host = f"[{settings.app_host}]" if ":" in settings.app_host else settings.app_host
    base = f"http://{host}:{{port}}"
    lines = [f"cryptomarket {__version__}   exchange: {settings.exchange.value}   {ws_url}"]
    if settings.exchange is Exchange.SIMULATOR:
        lines.append("Prices are SIMULATED. `make run EXCHANGE=production` talks to Deribit.")
        client_id, secret = "demo-1", "demo-1-secret"
    else:
        client_id, secret = "YOUR_CLIENT_ID", "YOUR_CLIENT_SECRET"
    database = settings.database_path if settings.debug else database_address(settings)
    if not role.serves:
        lines.append(f"Role {role}   database {database}   health {base}/health   ready {base}/ready")
        return "\n".join(lines) + "\n"
    stream = f"{base}/api/v2/sse/connection?tickers=btc_usd"
    lines += [
        f"Database {database}   documents {base}/docs   health {base}/health",
        "",
        "Watch prices move (Ctrl-C ends the gateway):",
        f"  curl -N -H 'X-Client-Id: {client_id}' -H 'X-Secret-key: {secret}' '{stream}'",
        "",
    ]
    return "\n".join(lines) + "\n"


def config_of(settings: Settings, app: Doorkeeper) -> uvicorn.Config:
    """How the library serves."""
    return uvicorn.Config(
        app,
        http=wire_of(settings.head_timeout_s),
        ws="none",
        backlog=BACKLOG,
        log_config=None,
        log_level=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        # Who keeps it for less long than a proxy closes it at times in the moment in which that asks again.
        timeout_keep_alive=settings.idle_connection_s,
        timeout_graceful_shutdown=round(settings.stream_farewell_s) + 3,
    )


async def serve_gateway(
    settings: Settings, *, with_simulator: bool, role: Role = Role.ALL, shares_port: bool = False
) -> None:
    """Runs a role of the gateway until it is told to stop. One that shares its port is a worker among others, and
    leaves the banner to whoever started them. Raises StartRefused for what can't work.
    """
    check_role(settings, role)
    bound_heaps()
    asyncio.get_running_loop().set_exception_handler(tell_unless_abandoned)
    async with contextlib.AsyncExitStack() as stack:
        # What another process may hold comes first: nothing has been begun yet when it is refused.
        stack.enter_context(alone(settings))
        listener = stack.enter_context(listening(settings, shares_port=shares_port))
        ws_url = exchange_address(settings)
        if with_simulator and not settings.deribit_ws_url and settings.exchange not in ADDRESSES:
            ws_url = await stack.enter_async_context(
                simulator_beside(host="127.0.0.1", port=settings.simulator_port, seed=settings.simulator_seed)
            )
        runtime = await stack.enter_async_context(running(settings, ws_url=ws_url, role=role))
        app = create_app(
            runtime.state,
            exchange=settings.exchange.value,
            body_limit_bytes=settings.body_limit_bytes,
            serves=role.serves,
        )
        doorkeeper = Doorkeeper(app, clock=Clock.system())
        server = Server(
            config_of(settings, doorkeeper),
            runtime.hub if role.serves else None,
            "" if shares_port else banner(settings, ws_url, role),
            doorkeeper,
        )
        _stop_on_signals(server)
        # Here and not in the server, which tests run in a process that is not its own.
        _settle_memory()
        await server.serve(sockets=[listener])
    log.info("stopped")


def tell_unless_abandoned(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The loop goes on looking up a name whose asker has left, and then complains that nobody hears the answer."""
    if isinstance(context.get("exception"), socket.gaierror) and isinstance(context.get("future"), asyncio.Future):
        return
    loop.default_exception_handler(context)


def listening(settings: Settings, *, shares_port: bool = False) -> socket.socket:
    """The socket that readers come to; with `shares_port`, one of several, among which the kernel spreads them
    (socket(7), SO_REUSEPORT). Raises StartRefused.
    """
    host, port = settings.app_host, settings.app_port
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(
            (str(address[0]), int(address[1])), family=family, backlog=BACKLOG, reuse_port=shares_port
        )
    except OSError as error:
        raise StartRefused(
            f"Port {port} of {host} cannot be listened on: {error.strerror}. Set APP_PORT or APP_HOST to another."
        ) from None
    # Connections inherit it. By itself the kernel grows to megabytes for a reader who has stalled (tcp(7), tcp_wmem).
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.stream_kernel_bytes)
    return listener


def _stop_on_signals(server: Server) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
