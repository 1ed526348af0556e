"""A real nginx with our configuration, in front of a small server that tells what reached it."""

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from __tests__.deployment.certificate import certify
from cryptomarket.page.routes import PAGE_HEADERS
from cryptomarket.settings import Settings

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
CONFIGURATION = Path(__file__).resolve().parents[2] / "nginx"
STREAM = "/api/v2/sse/connection"
PAGE = "/"
PATH = "/api/v2/tickers"
DEADLINE_S = 10.0


class Upstream(ThreadingHTTPServer):
    """Answers with the headers it got; on the stream's path it holds the response open until told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.may_end = threading.Event()


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_GET(self) -> None:
        if self.path.startswith(STREAM):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"9\r\ndata: 1\n\n\r\n")
            self.server.may_end.wait(DEADLINE_S)
            self.wfile.write(b"0\r\n\r\n")
            return
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        if self.path == PAGE:
            for name, value in PAGE_HEADERS.items():
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Says nothing: nginx keeps the log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    thread = threading.Thread(target=server.serve_forever, name="upstream")
    thread.start()
    yield server
    server.may_end.set()
    server.shutdown()
    thread.join(DEADLINE_S)
    server.server_close()


Start = Callable[..., int]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts nginx with our files, only the two addresses changed. Returns its port once it listens."""
    folder = tmp_path / "nginx"
    prefix = tmp_path / "prefix"
    prefix.mkdir()
    shutil.copytree(CONFIGURATION, folder)
    command = [NGINX, "-p", f"{prefix}/", "-c", str(folder / "nginx.conf")]
    started = False

    def run(upstream_port: int, *, tls: bool = False) -> int:
        nonlocal started
        port = free_port()
        listen = folder / "listen.conf"
        if tls:
            text = (folder / "listen_tls.conf").read_text().replace("8443", f"127.0.0.1:{port}")
            listen.write_text(text.replace("8080", f"127.0.0.1:{free_port()}"))
            certify(folder / "tls")
        else:
            listen.write_text(listen.read_text().replace("8080", f"127.0.0.1:{port}"))
        known = folder / "upstream.conf"
        known.write_text(known.read_text().replace("gateway:8003", f"127.0.0.1:{upstream_port}"))
        # Both return only after the sockets are bound, so nobody has to wait for a port.
        tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False, timeout=30)
        assert tested.returncode == 0, tested.stderr
        subprocess.run(command, check=True, timeout=30, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started = True
        return port

    yield run
    if started:
        subprocess.run([*command, "-s", "stop"], check=True, timeout=30, capture_output=True)


def get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_an_event_passes_while_the_stream_is_open(start: Start, upstream: Upstream) -> None:
    """Guards against a wait for the end: the event is there although the response has not ended."""
    port = start(upstream.server_port)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    connection.request("GET", f"{STREAM}?tickers=btc_usd")
    response = connection.getresponse()
    assert response.read1() == b"data: 1\n\n"
    assert not upstream.may_end.is_set()
    upstream.may_end.set()
    assert response.read() == b""
    connection.close()


def test_a_stream_is_not_buffered(start: Start, upstream: Upstream, tmp_path: Path) -> None:
    """Guards streams against buffers and compression of nginx's own, whatever the gateway's headers ask for."""
    start(upstream.server_port)
    command = [NGINX, "-T", "-p", f"{tmp_path}/prefix/", "-c", f"{tmp_path}/nginx/nginx.conf"]
    read = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    (told,) = re.findall(rf"location = {STREAM} {{([^}}]*)}}", read)
    assert {"proxy_buffering off;", "proxy_cache off;", "gzip off;"} <= {line.strip() for line in told.splitlines()}


def test_idle_connections_are_ended_by_nginx_and_not_under_it() -> None:
    """Promise: no request meets a connection that the gateway is just closing, which would be answered 502."""
    kept = re.search(r"keepalive_timeout (\d+)s;", (CONFIGURATION / "upstream.conf").read_text())
    assert kept is not None
    assert int(kept[1]) < Settings().idle_connection_s


def test_what_a_caller_claims_about_himself_is_replaced(start: Start, upstream: Upstream) -> None:
    """Guards the limits per address, and the loopback exception of /metrics, against forged headers."""
    port = start(upstream.server_port)
    _, body = get(port, "/", {"X-Forwarded-For": "10.9.8.7", "X-Real-IP": "10.9.8.7", "Forwarded": "for=10.9.8.7"})
    seen = json.loads(body)
    assert seen["x-forwarded-for"] == seen["x-real-ip"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-host"] == seen["host"] == f"127.0.0.1:{port}"
    assert "forwarded" not in seen
    assert "10.9.8.7" not in body.decode()


def test_a_request_id_passes(start: Start, upstream: Upstream) -> None:
    """Guards the one id by which a request is found in every log."""
    _, body = get(start(upstream.server_port), "/", {"X-Request-ID": "6f0c2a7e"})
    assert json.loads(body)["x-request-id"] == "6f0c2a7e"


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "//metrics", "/a/../metrics", "/%6detrics"])
def test_metrics_stay_inside(start: Start, upstream: Upstream, path: str) -> None:
    """Guards the operator's numbers against every spelling of their path."""
    response, body = get(start(upstream.server_port), path)
    assert response.status == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(body)
    assert problem["request_id"] == response.headers["X-Request-ID"]


def test_an_absent_gateway_is_a_problem_with_a_time_to_return(start: Start) -> None:
    """Guards clients during a restart: a problem document as everywhere, 503 with Retry-After."""
    response, body = get(start(free_port()), "/api/v2/tickers")
    assert response.status == json.loads(body)["status"] == 503
    assert response.headers["Retry-After"] == "2"
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_every_answer_carries_the_security_headers(start: Start, upstream: Upstream) -> None:
    """Guards the page against sniffing, framing and telling where its reader came from."""
    response, _ = get(start(upstream.server_port), PATH)
    assert response.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert response.headers.get_all("X-Frame-Options") == ["DENY"]
    assert response.headers.get_all("Referrer-Policy") == ["no-referrer"]
    assert response.headers.get_all("Permissions-Policy") == ["camera=(), geolocation=(), microphone=()"]
    assert response.headers["Server"] == "nginx"


def test_what_a_page_says_of_itself_is_said_once(start: Start, upstream: Upstream) -> None:
    """Guards against two answers to one question: the page's own headers pass, and none is put beside them."""
    response, _ = get(start(upstream.server_port), PAGE)
    assert {name: response.headers.get_all(name) for name in PAGE_HEADERS} == {
        name: [value] for name, value in PAGE_HEADERS.items()
    }


def test_the_other_door_speaks_tls(start: Start, upstream: Upstream) -> None:
    """Guards the TLS variant: it starts, tells the gateway so, and asks browsers to stay with it."""
    port = start(upstream.server_port, tls=True)
    trust = ssl.create_default_context()
    trust.check_hostname = False
    trust.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=DEADLINE_S, context=trust)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert json.loads(response.read())["x-forwarded-proto"] == "https"
    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert response.headers["X-Frame-Options"] == "DENY"
    connection.close()
