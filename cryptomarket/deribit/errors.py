"""What the exchange's error codes mean to a reader of market data: ask again, or don't.

The table is the exchange's own (docs.deribit.com/articles/errors), classified once, by family, with the reason beside
each. Codes of trading, transfers and verification are not listed: the gateway never does such things, so whatever
answers with one of them has misunderstood us, and asking again unchanged won't help.
"""

from dataclasses import dataclass

from cryptomarket.errors import ExchangeError, ExchangeFatal, ExchangeRetryable

TOO_MANY_REQUESTS = 10028
INVALID_CREDENTIALS = 13004
RAW_NEEDS_LOGIN = 13778
INVALID_PARAMS = -32602
# How the exchange says of a name that it does not exist. -32602 may mean anything that is wrong with a request: it says
# so of a name only with one of these reasons.
_NOT_FOUND = frozenset({10020, 13020})
_NOT_FOUND_REASONS = frozenset({"instrument not found", "wrong format"})


@dataclass(frozen=True, slots=True)
class Family:
    """Codes that want the same reaction. `codes` maps each to its meaning."""

    retryable: bool
    reason: str
    codes: dict[int, str]


FAMILIES = (
    Family(
        retryable=True,
        reason="credits flow back by themselves; whoever waits for them may ask again",
        codes={
            TOO_MANY_REQUESTS: "the credits are spent, and the session ends with this answer",
            10066: "too many unfinished public requests at once",
            12003: "too many logins",
            12998: "too many logins with a security key",
        },
    ),
    Family(
        retryable=True,
        reason="the exchange is busy with itself and comes back",
        codes={
            10040: "it asks for a retry",
            10041: "a settlement is going on, daily at 08:00 UTC for seconds",
            10047: "the queue of the matching engine is full",
            10048: "another server answers for this",
            11051: "maintenance",
            11056: "public requests without a login are off for now",
            11094: "an unhandled error on its side",
            13008: "the request failed on its side",
            13025: "an administrator has switched the method off",
            13028: "unavailable for a moment",
            13503: "unavailable",
            13666: "the request was cancelled",
            13888: "timed out on its side",
            10001: "an error without a description",
            -32603: "an internal error",
        },
    ),
    Family(
        retryable=True,
        reason="the token has died, or the subscription was taken away; with a new one the same request succeeds",
        codes={
            13009: "no token, or one that is no longer valid",
            11052: "the subscription was cancelled by the exchange",
        },
    ),
    Family(
        retryable=False,
        reason="the key pair is not one, or may not do this; trying it again only gets the address banned",
        codes={
            10000: "a login is needed",
            10019: "locked by an administrator",
            11042: "no permission",
            11098: "the account is locked",
            12005: "the country is banned",
            INVALID_CREDENTIALS: "no such client id, or not its secret",
            13005: "the password does not match",
            13006: "a security error",
            13007: "no such user",
            13012: "not available to a subaccount",
            13021: "forbidden",
            13031: "the account is not verified",
            13403: "the token's scope does not allow it",
            13668: "a second factor is needed",
            13904: "a security key must be set up first",
        },
    ),
    Family(
        retryable=False,
        reason="raw channels need a login, and the whole call was refused; the same channels exist every 100 ms",
        codes={RAW_NEEDS_LOGIN: "a raw channel was asked for without a login"},
    ),
    Family(
        retryable=False,
        reason="the request itself is wrong: unknown names, missing or impossible values",
        codes={
            -32700: "not JSON",
            INVALID_PARAMS: "a parameter is missing or impossible",
            -32601: "no such method",
            -32600: "not a request, or more than 32 kB",
            -32000: "parameters are missing",
            10020: "no such instrument",
            10030: "possible on a WebSocket only",
            10031: "arguments that don't fit the instrument",
            10033: "not implemented",
            11029: "invalid arguments",
            11043: "a bad argument",
            11046: "the instrument is gone",
            11047: "arguments that don't go together",
            11049: "bad arguments",
            11050: "a bad request",
            13010: "a value is required",
            13011: "a value is too short",
            13016: "invalid input",
            13018: "the wrong content type",
            13019: "the book is closed",
            13020: "not found",
        },
    ),
)

_OF_THE_KEY = frozenset(code for family in FAMILIES if INVALID_CREDENTIALS in family.codes for code in family.codes)
_OF_THE_REQUEST = frozenset(code for family in FAMILIES if INVALID_PARAMS in family.codes for code in family.codes)
_RETRYABLE = frozenset(code for family in FAMILIES if family.retryable for code in family.codes)


def failure_of(code: int, message: str, method: str, reason: str = "") -> ExchangeRetryable | ExchangeFatal:
    """The error to raise for an answer of the exchange. A code that is in no family is fatal: repeating a request
    whose refusal we don't understand costs credits, and persistence is punished with a ban of the address.
    """
    kind: type[ExchangeRetryable | ExchangeFatal] = ExchangeRetryable if code in _RETRYABLE else ExchangeFatal
    return kind(code, message, method=method, reason=reason)


def names_nothing(error: ExchangeError) -> bool:
    """Whether the exchange says that what was asked for does not exist."""
    return error.code in _NOT_FOUND or (error.code == INVALID_PARAMS and error.reason in _NOT_FOUND_REASONS)


def blames_us(error: ExchangeError) -> bool:
    """Whether the request itself was wrong, and not the name in it: a fault of ours, which asking again won't mend."""
    return error.code in _OF_THE_REQUEST and not names_nothing(error)


def blames_channels(error: ExchangeError) -> bool:
    """Whether a subscribe call may have been refused for one of its channels. A refusal for the sake of the key or of
    the address hits every channel alike, and cutting the call would only ask for it a thousand times.
    """
    return error.code not in _OF_THE_KEY


def spent(error: ExchangeError) -> bool:
    """Whether the exchange says that our credits are used up (docs.deribit.com/articles/rate-limits)."""
    return error.code == TOO_MANY_REQUESTS
