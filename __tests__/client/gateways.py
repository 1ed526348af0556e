"""Gateways of one answer each, over the HTTP library's own transport, and a sleep that only counts."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field

import httpx2

from cryptomarket.client.asking import Asking
from cryptomarket.client.client import Client
from cryptomarket.client.credentials import AccessToken, Credentials

KNOWN = AccessToken("t")
Answering = Callable[[httpx2.Request], httpx2.Response]


@dataclass
class Scripted:
    """Answers requests one after another, the last one for ever, and keeps what was asked and waited."""

    answers: Sequence[Answering]
    asked: list[httpx2.Request] = field(default_factory=list)
    waited_s: list[float] = field(default_factory=list)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        return self.answers[min(len(self.asked), len(self.answers)) - 1](request)

    async def _sleep(self, seconds: float) -> None:
        self.waited_s.append(seconds)

    @property
    def http(self) -> httpx2.AsyncClient:
        """A client of this gateway."""
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer), base_url="http://gateway.test")

    def asking(self, credentials: Credentials | None = KNOWN, *, patience_s: float = 60.0) -> Asking:
        """Who asks this gateway, without chance: each jittered wait is its half."""
        return Asking(self.http, credentials, patience_s=patience_s, random=lambda: 0.5, sleep=self._sleep)

    def client(self, credentials: Credentials | None = KNOWN, *, patience_s: float = 60.0) -> Client:
        """The same as a whole client."""
        return Client(
            "http://gateway.test", credentials, patience_s=patience_s, http=self.http, random=lambda: 0.5,
            sleep=self._sleep,
        )  # fmt: skip


def says(status: int, body: str = "{}", **headers: str) -> Answering:
    """An answer of this status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: httpx2.Response(status, text=body, headers=named)


def breaks(error: type[httpx2.TransportError] = httpx2.ConnectError) -> Answering:
    """No answer."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        raise error("nobody is there")

    return answer


def streams(*events: str, then: type[httpx2.TransportError] | None = None) -> Answering:
    """A stream of these events, which ends, or breaks."""

    async def pieces() -> AsyncIterator[bytes]:
        for event in events:
            yield f"{event}\n\n".encode()
        if then is not None:
            raise then("lost")

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=pieces(), headers={"content-type": "text/event-stream; charset=utf-8"})

    return answer


def header(requests: Iterable[httpx2.Request], name: str) -> list[str | None]:
    """What each request said under a name."""
    return [request.headers.get(name) for request in requests]
