"""A gateway's answer that is no success, as the error that a caller acts on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

import msgspec

from cryptomarket.errors import (
    Conflict,
    CryptomarketError,
    Forbidden,
    Impossible,
    Malformed,
    NotFound,
    Refusal,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)

_REFUSALS: dict[int, type[Refusal]] = {
    400: Malformed,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Impossible,
}
_RETRY_AFTER_S = 1.0


class GatewayFailed(CryptomarketError):
    """The gateway has failed on a request, or whoever answered is no gateway. It was told under `request_id`."""

    def __init__(self, status: int, detail: str, request_id: str = "") -> None:
        self.status = status
        self.request_id = request_id
        super().__init__(f"{detail} (status {status})")


class _Field(msgspec.Struct):
    field: str = ""


class _Problem(msgspec.Struct):
    """RFC 9457, with what this gateway adds."""

    detail: str = ""
    title: str = ""
    request_id: str = ""
    errors: list[_Field] = []


_problem = msgspec.json.Decoder(_Problem)


def seconds_of(headers: Mapping[str, str]) -> float:
    """Retry-After in seconds (RFC 9110, 10.2.3); a second where there is none that can be read."""
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else _RETRY_AFTER_S


@contextmanager
def understood(where: str) -> Iterator[None]:
    """Raises GatewayFailed for a success that can't be read: who is at `where` is no gateway, or of another version."""
    try:
        yield
    except msgspec.MsgspecError as error:
        raise GatewayFailed(HTTPStatus.OK, f"{where} has answered what no gateway does: {error}") from error


def error_of(status: int, headers: Mapping[str, str], body: bytes, *, where: str) -> CryptomarketError:
    """The error that an answer from `where` means. Its notes name the request, by which the gateway's log finds it."""
    try:
        problem = _problem.decode(body)
    except msgspec.MsgspecError:
        problem = _Problem()
    request_id = problem.request_id or headers.get("x-request-id", "")
    error = _error(status, headers, problem, request_id, where)
    if request_id:
        error.add_note(f"request {request_id}")
    return error


def _error(
    status: int, headers: Mapping[str, str], problem: _Problem, request_id: str, where: str
) -> CryptomarketError:
    said = problem.detail or problem.title
    unsaid = f"{where} has answered without a reason, as no gateway does"
    detail = said or f"{unsaid} (status {status})"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        limit = headers.get("ratelimit-limit", "")
        return TooMany(detail, retry_after_s=seconds_of(headers), limit=int(limit) if limit.isdigit() else 0)
    if status in {502, 503, 504}:
        return Unavailable(detail, retry_after_s=seconds_of(headers))
    if refusal := _REFUSALS.get(status):
        return refusal(detail, field=problem.errors[0].field if problem.errors else None)
    return GatewayFailed(status, said or unsaid, request_id)
