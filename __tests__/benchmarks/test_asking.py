"""Who asks in benchmarks: what he counts as an answer is one."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.asking import Connection, paced, saturating

BODIES = {"/small": b"x" * 100, "/page": b"row " * 30_000, "/large": bytes(range(256)) * 20_000, "/none": b""}


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        is_known, is_chunked = self.path in BODIES, self.path.startswith("/chunks")
        body = BODIES["/large" if is_chunked else self.path] if is_known or is_chunked else b"no such page"
        self.send_response(200 if is_known or is_chunked else 404)
        if is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(body), 70_000):
                piece = body[at : at + 70_000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that somebody else wrote."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield server.server_address[1]
    server.shutdown()
    serving.join()
    server.server_close()


def test_answers_are_read_to_their_ends(port: int) -> None:
    """Promise: bodies are whole and are each answer's own, also one after the other on a connection, and large ones."""
    connection = Connection(port, {"X": "y"})
    for path in ("/small", "/large", "/none", "/page", "/large", "/small"):
        status, body = connection.get(path)
        assert (status, bytes(body)) == (200, BODIES[path])
    read = connection.read_through("/chunks")
    assert read.size > len(BODIES["/large"])
    assert read.tail.endswith(BODIES["/large"][-256:] + b"\r\n0\r\n\r\n")
    assert connection.read_through("/page").size == len(BODIES["/page"])
    with pytest.raises(ValueError, match="404"):
        connection.read_through("/nothing")
    connection.close()


def test_what_is_no_answer_has_failed(port: int) -> None:
    """Promise: another status, or a body without its rows, is no answer, at either pace."""
    connection = Connection(port, {})
    assert connection.has("/page", 120_000)
    assert not connection.has("/page", 120_001)
    assert not connection.has("/nothing", 0)
    connection.close()
    paths = ["/page", "/small", "/nothing", "/page"]

    def path(number: int) -> str:
        return paths[number % 4]

    answered = paced(port, {}, path, rate=200, seconds=0.2, least_bytes=1000, threads=2)
    assert (answered.count, answered.failed) == (20, 20)
    answered = saturating(port, {}, path, seconds=0.2, least_bytes=1000, threads=1)
    assert answered.count > 0
    assert answered.failed > 0
    with pytest.raises(ValueError, match="nothing was answered"):
        saturating(port, {}, lambda _number: "/none", seconds=0.05, least_bytes=1)
