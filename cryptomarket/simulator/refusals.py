"""Errors as Deribit sends them: code, message and sometimes data (docs.deribit.com/articles/errors)."""

from typing import Final

Data = dict[str, str] | str | None

TOO_MANY_REQUESTS: Final = 10028
METHOD_NOT_FOUND: Final = -32601
MESSAGES: Final[dict[int, str]] = {
    10028: "too_many_requests",
    10030: "must_be_websocket_request",
    10040: "retry",
    10041: "settlement_in_progress",
    10066: "too_many_concurrent_requests",
    11044: "not_open_order",
    11050: "bad_request",
    11051: "system_maintenance",
    11056: "unauthenticated_public_requests_temporarily_disabled",
    11094: "internal_server_error",
    12003: "login_over_limit",
    13004: "invalid_credentials",
    13009: "unauthorized",
    13021: "forbidden",
    13025: "method_switched_off_by_admin",
    13028: "temporarily_unavailable",
    13403: "scope_exceeded",
    13503: "unavailable",
    13778: "raw_subscriptions_not_available_for_unauthorized",
    13888: "timed_out",
    -32000: "Missing params",
    -32600: "request entity too large",
    -32601: "Method not found",
    -32602: "Invalid params",
    -32700: "Parse error",
}


class Refusal(Exception):
    """A request is answered with an error object. ``ends_session`` is true where Deribit hangs up afterwards."""

    def __init__(self, code: int, data: Data = None, *, ends_session: bool = False) -> None:
        super().__init__(code, data)
        self.code = code
        self.data = data
        self.ends_session = ends_session

    def body(self) -> dict[str, int | str | dict[str, str]]:
        """The ``error`` member of a reply, in the key order seen on the wire."""
        body: dict[str, int | str | dict[str, str]] = {"code": self.code}
        if self.data is not None:
            body["data"] = self.data
        body["message"] = MESSAGES.get(self.code, "error")
        return body


def bad_param(param: str, reason: str) -> Refusal:
    """-32602 naming the parameter and what is wrong with it."""
    return Refusal(-32602, {"reason": reason, "param": param})


def unauthorized(reason: str = "invalid_token") -> Refusal:
    """13009: no token, or one that is not accepted."""
    return Refusal(13009, {"reason": reason})
