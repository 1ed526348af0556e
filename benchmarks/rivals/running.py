"""The rivals as processes: each on the core where the product is measured, its publisher on the other."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crowd import BUILD, Target
from benchmarks.processes import OTHER_CORE, SERVER_CORE, Program, environment, free_port, program, wait_for_port

NAIVE = "sse-starlette, Redis pub/sub per stream"
PLAIN = "plain ASGI, a wake-up per stream"
NCHAN = "Nchan (nginx)"
LIMIT = "C, one send() per event and socket"

_NCHAN_PLACES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules", "/etc/nginx/modules")
_NGINX = """\
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid nginx.pid;
load_module {module};
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 1000000;
    nchan_shared_memory_size 128M;
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        location = /publish {{ nchan_publisher http; nchan_channel_id ticks; }}
        location = /stream {{
            nchan_subscriber eventsource;
            nchan_channel_id ticks;
            nchan_subscriber_first_message newest;
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Rival:
    """A server that fans out what is told to `feed_url`."""

    name: str
    program: Program
    port: int
    feed_url: str
    target: Target


def nginx() -> str | None:
    """The program of nginx."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def nchan_module() -> Path | None:
    """Nchan's module for nginx, if it is installed (Debian: libnginx-mod-nchan)."""
    for place in _NCHAN_PLACES:
        module = Path(place) / "ngx_nchan_module.so"
        if module.exists():
            return module
    return None


@contextmanager
def limit(folder: Path) -> Iterator[Rival]:
    """The small C program."""
    port, feed_port = free_port(), free_port()
    command = [str(BUILD / "sweep"), str(port), str(feed_port)]
    with program(command, folder / "limit.log", core=SERVER_CORE) as running:
        wait_for_port(feed_port)
        yield Rival(LIMIT, running, port, f"tcp://127.0.0.1:{feed_port}", Target("/"))


@contextmanager
def plain(folder: Path) -> Iterator[Rival]:
    """Plain ASGI."""
    port, feed_port = free_port(), free_port()
    command = [sys.executable, "-m", "benchmarks.rivals.plain", str(port), str(feed_port)]
    with program(command, folder / "plain.log", core=SERVER_CORE, environment=environment()) as running:
        wait_for_port(port)
        yield Rival(PLAIN, running, port, f"tcp://127.0.0.1:{feed_port}", Target("/"))


@contextmanager
def naive(folder: Path) -> Iterator[Rival]:
    """The design that most people write. Redis' own work is not counted."""
    port, redis_port = free_port(), free_port()
    store = ["redis-server", "--port", str(redis_port), "--save", "", "--bind", "127.0.0.1", "--maxclients", "10000"]
    command = [sys.executable, "-m", "benchmarks.rivals.naive", str(port), str(redis_port)]
    with ExitStack() as stack:
        stack.enter_context(program(store, folder / "redis.log", core=OTHER_CORE))
        wait_for_port(redis_port)
        log = folder / "naive.log"
        running = stack.enter_context(program(command, log, core=SERVER_CORE, environment=environment()))
        wait_for_port(port)
        yield Rival(NAIVE, running, port, f"redis://127.0.0.1:{redis_port}", Target("/"))


@contextmanager
def nchan(folder: Path) -> Iterator[Rival]:
    """Nchan in nginx, one worker. Raises FileNotFoundError where it is not installed."""
    module, server = nchan_module(), nginx()
    if module is None or server is None:
        raise FileNotFoundError("Nchan is not installed")
    port, own = free_port(), folder / "nginx"
    own.mkdir(exist_ok=True)
    user = "user root;" if os.getuid() == 0 else ""
    (own / "nginx.conf").write_text(_NGINX.format(user=user, module=module, port=port))
    command = [server, "-p", str(own), "-e", "stderr", "-c", "nginx.conf"]
    with program(command, folder / "nginx.log", core=SERVER_CORE) as running:
        wait_for_port(port)
        yield Rival(NCHAN, running, port, f"http://127.0.0.1:{port}/publish", Target("/stream"))


@contextmanager
def published(rival: Rival, folder: Path, *, rate: float, seconds: float) -> Iterator[None]:
    """The rival is told what the exchange says while the block runs, for so many seconds at most."""
    command = [sys.executable, "-m", "benchmarks.publisher", f"{rate:g}", f"{seconds:g}", "0", rival.feed_url]
    with program(command, folder / "publisher.log", core=OTHER_CORE, environment=environment()):
        yield
