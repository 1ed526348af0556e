"""One question to a gateway and its answer: who asks, how often, and what an answer that is none means."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import msgspec

from cryptomarket.backoff import Backoff
from cryptomarket.client.credentials import AccessToken, Credentials, Token
from cryptomarket.client.refusals import error_of, understood
from cryptomarket.errors import TooMany, Unauthenticated, Unavailable
from cryptomarket.secret import Secret

Sleep = Callable[[float], Awaitable[None]]
# What changes nothing, or leaves the same when it is done twice (RFC 9110, 9.2.2).
_REPEATABLE = frozenset({"GET", "PUT"})
# The way to the gateway, or what is at its end. What a request itself lacks is no fault of theirs, and trying again
# would not mend it.
CONNECTION_FAULTS = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.ProxyError, httpx2.RemoteProtocolError)
_BACKOFF_BASE_S, _BACKOFF_CAP_S = 0.2, 10.0


class _TokenAnswer(msgspec.Struct):
    """RFC 6749, 5.1."""

    access_token: str
    expires_in: int
    user_id: str
    scope: str


_token_answer = msgspec.json.Decoder(_TokenAnswer)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. None in `query` is "not said". An open question is anybody's, and asked without a token; a status
    `also` is an answer as a success is; `patience_s` and `timeout` are the asker's own unless they are said.
    """

    method: str
    path: str
    query: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_open: bool = False
    also: int | None = None
    patience_s: float | None = None
    timeout: httpx2.Timeout | None = None


class Asking:
    """Asks one gateway, as one caller. A token is asked for at the first need, and again when it has died.

    What can be asked twice is, for as long as `patience_s` allows: after what `Retry-After` says, or a jittered backoff
    when the gateway is not there at all. `random` gives numbers in [0, 1).
    """

    def __init__(
        self,
        http: httpx2.AsyncClient,
        credentials: Credentials | None,
        *,
        patience_s: float,
        random: Callable[[], float] = random.random,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.http = http
        self.random = random
        self.sleep = sleep
        self._credentials = credentials
        self._patience_s = patience_s
        self._token = credentials.token if isinstance(credentials, AccessToken) else None
        self._logging_in = asyncio.Lock()

    @property
    def where(self) -> str:
        """Who is asked."""
        return origin_of(self.http.base_url)

    async def login(self) -> Token:
        """A new token for the credentials. Raises Unauthenticated for wrong ones, and where there are none."""
        if self._credentials is None or isinstance(self._credentials, AccessToken):
            raise Unauthenticated("There are no credentials to log in with: give a KeyPair or an ApiKey.")
        request = self.http.build_request("POST", "/api/v2/auth/token", data=self._credentials.form())
        body = await read(await self._send(request))
        with understood(self.where):
            told = _token_answer.decode(body)
        self._token = Secret(told.access_token)
        return Token(self._token, told.user_id, told.scope, told.expires_in)

    def forget(self) -> None:
        """The token is dead."""
        self._token = None

    async def authorization(self) -> dict[str, str]:
        """The header of who asks; none for nobody."""
        if self._credentials is None:
            return {}
        async with self._logging_in:
            token = self._token or (await self.login()).access_token
        return {"Authorization": f"Bearer {token.reveal()}"}

    async def renewed(self, refused: Mapping[str, str]) -> bool:
        """Whether there is another token than the refused one, because one could be had or somebody has it already."""
        if self._credentials is None or isinstance(self._credentials, AccessToken):
            return False
        async with self._logging_in:
            if self._token is not None and refused.get("Authorization") == f"Bearer {self._token.reveal()}":
                self._token = None
        await self.authorization()
        return True

    async def ask(self, question: Question) -> bytes:
        """The body of an answer. Raises an error of the tree in `cryptomarket.errors`."""
        async with self.opened(question) as response:
            return await read(response)

    @asynccontextmanager
    async def opened(self, question: Question) -> AsyncGenerator[httpx2.Response]:
        """An answer whose body has not been read yet."""
        response = await self._insist(question)
        try:
            yield response
        finally:
            await response.aclose()

    async def _insist(self, question: Question) -> httpx2.Response:
        """Asks until there is an answer, or the time for waiting is over. A token that has died is renewed once."""
        backoff = Backoff(base_s=_BACKOFF_BASE_S, cap_s=_BACKOFF_CAP_S, random=self.random)
        left_s = self._patience_s if question.patience_s is None else question.patience_s
        may_renew = True
        while True:
            proof = {} if question.is_open else await self.authorization()
            try:
                return await self._send(self._request(question, proof), also=question.also)
            except Unauthenticated:
                if not may_renew or not await self.renewed(proof):
                    raise
                may_renew = False
            except (TooMany, Unavailable) as error:
                wait_s = max(error.retry_after_s, backoff.next_s())
                if wait_s > left_s or question.method not in _REPEATABLE:
                    raise
                left_s -= wait_s
                await self.sleep(wait_s)

    def _request(self, question: Question, proof: Mapping[str, str]) -> httpx2.Request:
        query = {name: str(value) for name, value in question.query.items() if value is not None}
        timeout = self.http.timeout if question.timeout is None else question.timeout
        headers = {**question.headers, **proof}
        return self.http.build_request(question.method, question.path, params=query, headers=headers, timeout=timeout)

    async def _send(self, request: httpx2.Request, *, also: int | None = None) -> httpx2.Response:
        try:
            response = await self.http.send(request, stream=True)
        except CONNECTION_FAULTS as error:
            raise away(self.http.base_url, error) from error
        except httpx2.TransportError as error:
            # What the library says of a header quotes it, and it may be a secret.
            raise ValueError(f"Nothing can be sent to {self.where}: {type(error).__name__}.") from None
        if response.is_success or response.status_code == also:
            return response
        try:
            raise error_of(response.status_code, response.headers, await read(response), where=self.where)
        finally:
            await response.aclose()


async def read(response: httpx2.Response) -> bytes:
    """The whole body. Raises Unavailable when the connection is lost on the way."""
    try:
        return await response.aread()
    except CONNECTION_FAULTS as error:
        raise away(response.url, error) from error


def origin_of(url: httpx2.URL) -> str:
    """Where a gateway is, without the rest of the URL."""
    return f"{url.scheme}://{url.netloc.decode()}"


def away(url: httpx2.URL, error: httpx2.TransportError) -> Unavailable:
    """The gateway is not there, or was lost."""
    return Unavailable(f"The gateway at {origin_of(url)} is away: {_reason_of(error)}.", retry_after_s=0.0)


def _reason_of(error: Exception) -> str:
    """What an error says, or what it is."""
    return str(error).rstrip(".") or type(error).__name__
