"""What the kernel keeps for the connections of one server, asked of itself (sock_diag(7)).

/proc/net/sockstat knows the sum over all programs of the machine only, other tests' among them.
"""

import socket
import struct
from collections.abc import Iterator

ESTABLISHED = 1
_SOCK_DIAG = 4
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_BY_FAMILY = 20
_DONE, _ERROR = 3, 2
_SKMEMINFO = 7
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI48x")
_ATTRIBUTE = struct.Struct("=HH")
_PORTS = struct.Struct("!HH")
_FIXED_BYTES = 72
_ANSWER_BYTES = 2**18


def kernel_bytes(port: int) -> int:
    """Memory of both ends of all open connections to a port of this machine: what was received and not read, written
    and not acknowledged, and what is kept in advance, with the kernel's own share of each.
    """
    total = 0
    for message in _connections():
        if port in _PORTS.unpack_from(message, 4):
            total += _memory(message)
    return total


def send_buffers(port: int) -> list[int]:
    """How much may be written and not acknowledged on each connection that was accepted at a port (SO_SNDBUF, with the
    kernel's own share of it).
    """
    return [_meminfo(message)[3] for message in _connections() if _PORTS.unpack_from(message, 4)[0] == port]


def _connections() -> Iterator[bytes]:
    """An `inet_diag_msg` for each open TCP connection over IPv4, and its attributes."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as asking:
        request = _REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 1 << (_SKMEMINFO - 1), 1 << ESTABLISHED)
        asking.send(_HEADER.pack(_HEADER.size + len(request), _BY_FAMILY, _DUMP, 1, 0) + request)
        while True:
            answer = asking.recv(_ANSWER_BYTES)
            while answer:
                length, kind, *_ = _HEADER.unpack_from(answer)
                assert kind != _ERROR, "the kernel does not tell of its sockets"
                if kind == _DONE:
                    return
                yield answer[_HEADER.size : length]
                answer = answer[_aligned(length) :]


def _memory(message: bytes) -> int:
    received, _, _, _, in_advance, queued = _meminfo(message)
    return received + in_advance + queued


def _meminfo(message: bytes) -> tuple[int, ...]:
    """The first six of the kernel's figures (SK_MEMINFO_RMEM_ALLOC and following)."""
    place = _FIXED_BYTES
    while place < len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, place)
        if kind == _SKMEMINFO:
            return struct.unpack_from("=6I", message, place + _ATTRIBUTE.size)
        place += _aligned(length)
    raise AssertionError("the kernel does not tell what a socket takes")


def _aligned(length: int) -> int:
    return (length + 3) & ~3
