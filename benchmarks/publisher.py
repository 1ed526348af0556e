"""The one publisher of all rivals, as a process: frames of a script at an even pace, to wherever they are taken.

python -m benchmarks.publisher RATE SECONDS PADDING tcp://127.0.0.1:PORT | redis://127.0.0.1:PORT | http://127.0.0.1:PORT/PATH
"""

import socket
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from urllib.parse import urlsplit

import redis

from benchmarks.market import TEN, Script, frame

CHANNEL = "ticks"
Tell = Callable[[bytes], object]


def data_line(text: bytes) -> bytes:
    """What stands in an event's data line."""
    return text[text.index(b"data: ") + 6 : -2]


def teller(url: str) -> Tell:
    """How a frame is told to a rival. Raises ValueError for an address of another kind."""
    where = urlsplit(url)
    host, port = where.hostname or "127.0.0.1", where.port or 0
    if where.scheme == "tcp":
        feed = socket.create_connection((host, port))
        feed.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return feed.sendall
    if where.scheme == "redis":
        client = redis.Redis(host=host, port=port)
        return lambda text: client.publish(CHANNEL, text)
    if where.scheme == "http":
        connection = HTTPConnection(host, port)
        return lambda text: _post(connection, where.path, data_line(text))
    raise ValueError(f"nobody can be told by {url}")


def _post(connection: HTTPConnection, path: str, body: bytes) -> None:
    connection.request("POST", path, body)
    connection.getresponse().read()


def publish(script: Script, seconds: float, tell: Tell) -> int:
    """Tells what the script has for so many seconds; how many frames that were."""
    began_s, number = time.monotonic(), 0
    while (due_s := number / script.rate) < seconds:
        ahead_s = began_s + due_s - time.monotonic()
        if ahead_s > 0:
            time.sleep(ahead_s)
        tell(frame(script, number, time.time_ns() // 1000))
        number += 1
    return number


def main() -> None:
    """The command."""
    rate, seconds, padding, url = sys.argv[1:]
    publish(Script(float(rate), TEN, padding=int(padding)), float(seconds), teller(url))


if __name__ == "__main__":
    main()
