"""Questions to the exchange from processes that have no session with it: posted as letters, run where the pool is."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec
import structlog

from cryptomarket.backplane.mailroom import Letter, Mailroom, serve
from cryptomarket.deribit.messages import Stamped
from cryptomarket.errors import (
    ExchangeError,
    ExchangeFatal,
    ExchangeRetryable,
    ExchangeUnavailable,
    Unavailable,
)

log = structlog.get_logger(__name__)

BOX = "exchange"
# What every process asks once at its start is asked of the exchange once for all of them.
_SHARED = frozenset({"public/get_instruments", "public/get_index_price_names"})


class _Errand(msgspec.Struct, frozen=True):
    method: str
    params: dict[str, object]


class _Result(msgspec.Struct, frozen=True, tag="result"):
    result: msgspec.Raw
    us_out: int | None = None


class _Refused(msgspec.Struct, frozen=True, tag="refused"):
    code: int
    message: str
    fatal: bool
    method: str = ""
    reason: str = ""


class _Away(msgspec.Struct, frozen=True, tag="away"):
    detail: str
    retry_after_s: float


_errand_decoder = msgspec.json.Decoder(_Errand)
_answer_decoder = msgspec.json.Decoder(_Result | _Refused | _Away)


class Requests(Protocol):
    """Whoever can ask the exchange: the pool."""

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        """The result, as JSON. Raises ExchangeError and ExchangeUnavailable."""
        ...

    async def stamped(self, method: str, params: dict[str, object], *, timeout_s: float) -> Stamped:
        """The same, with the time at which the exchange says that it answered."""
        ...


class Errands:
    """Asks the exchange by letter, as if there were a pool in this process."""

    def __init__(self, mailroom: Mailroom) -> None:
        self._mailroom = mailroom

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        """The result, as JSON. Raises ExchangeRetryable, ExchangeFatal and ExchangeUnavailable."""
        return (await self.stamped(method, params, timeout_s=timeout_s)).result

    async def stamped(self, method: str, params: dict[str, object], *, timeout_s: float) -> Stamped:
        """The same, with the time at which the exchange says that it answered."""
        errand = msgspec.json.encode(_Errand(method, params))
        try:
            answer = _answer_decoder.decode(await self._mailroom.ask(BOX, errand, timeout_s=timeout_s))
        except Unavailable as away:
            raise ExchangeUnavailable(
                "No process that could ask the exchange has answered.", retry_after_s=away.retry_after_s
            ) from away
        match answer:
            case _Result():
                return Stamped(bytes(answer.result), answer.us_out)
            case _Refused():
                kind = ExchangeFatal if answer.fatal else ExchangeRetryable
                raise kind(answer.code, answer.message, method=answer.method, reason=answer.reason)
        raise ExchangeUnavailable(answer.detail, retry_after_s=answer.retry_after_s)


class ErrandDesk:
    """Runs the errands of other processes on the pool. Public questions only; `at_once` of them together.

    Answers that every process asks for at its start are kept for `fresh_s` seconds.
    """

    def __init__(
        self,
        mailroom: Mailroom,
        pool: Requests,
        *,
        monotonic_s: Callable[[], float],
        timeout_s: float,
        at_once: int = 4,
        fresh_s: float = 60.0,
    ) -> None:
        self._mailroom = mailroom
        self._pool = pool
        self._monotonic_s = monotonic_s
        self._timeout_s = timeout_s
        self._at_once = at_once
        self._fresh_s = fresh_s
        # Bound: one answer for each of the shared questions and its parameters, while it is fresh.
        self._kept: dict[bytes, tuple[float, bytes]] = {}
        self._asking = asyncio.Lock()

    async def run(self) -> None:
        """Serves for as long as it runs."""
        await serve(self._mailroom, BOX, self.answer, at_once=self._at_once)

    async def answer(self, letter: Letter) -> bytes:
        """The answer to one letter."""
        try:
            errand = _errand_decoder.decode(letter.body)
        except msgspec.MsgspecError:
            return msgspec.json.encode(_Away("The question could not be read.", 1.0))
        if not errand.method.startswith("public/get_") and errand.method != "public/ticker":
            log.warning("an errand was not run: no process but this one may ask that", method=errand.method[:64])
            return msgspec.json.encode(_Away("This is not asked for others.", 60.0))
        if errand.method not in _SHARED:
            return await self._ask(errand)
        async with self._asking:
            return await self._shared(errand, letter.body)

    def forget(self) -> None:
        """What is kept is asked for anew: the exchange may have listed something since."""
        self._kept = {}

    async def _shared(self, errand: _Errand, asked: bytes) -> bytes:
        now_s = self._monotonic_s()
        kept = self._kept = {body: kept for body, kept in self._kept.items() if kept[0] > now_s}
        if asked in kept:
            return kept[asked][1]
        answer = await self._ask(errand)
        # Where everything was forgotten meanwhile, this is forgotten, too.
        if isinstance(_answer_decoder.decode(answer), _Result):
            kept[asked] = now_s + self._fresh_s, answer
        return answer

    async def _ask(self, errand: _Errand) -> bytes:
        answer: _Result | _Refused | _Away
        try:
            told = await self._pool.stamped(errand.method, errand.params, timeout_s=self._timeout_s)
            answer = _Result(msgspec.Raw(told.result), told.us_out)
        except ExchangeError as refusal:
            is_fatal = isinstance(refusal, ExchangeFatal)
            answer = _Refused(refusal.code, refusal.message, is_fatal, refusal.method, refusal.reason)
        except ExchangeUnavailable as away:
            answer = _Away(away.detail, away.retry_after_s)
        return msgspec.json.encode(answer)
