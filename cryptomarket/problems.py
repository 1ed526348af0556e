"""How errors look from outside: RFC 9457 problem documents, and their declaration in OpenAPI."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

MEDIA_TYPE = "application/problem+json"

TITLES = {
    400: "Malformed request",
    401: "Not authenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    422: "Impossible request",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}

REQUEST_ID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"

# Title, detail, and the field that is wrong, of the problem that each status is shown by.
Shown = tuple[str, str, str | None]
_SHOWN: dict[int, Shown] = {
    400: (
        "Malformed request",
        "timer can't be read: it must be a number from 0.05 to 3600, such as 0.5.",
        "timer",
    ),
    401: ("Not authenticated", "An access token is needed: 'Authorization: Bearer <token>', or the cookie.", None),
    403: ("Forbidden", "This needs a token with the scope person.", None),
    404: (
        "Unknown ticker",
        "There is no ticker 'btc_usdd'. Did you mean btc_usd, btc_usdc, btc_usdt?",
        "ticker",
    ),
    405: ("Method not allowed", "This address knows GET and HEAD.", None),
    409: ("Conflict", "This is being done already.", None),
    413: ("Too large", "A body is at most 65536 bytes.", None),
    422: (
        "Impossible request",
        "timer is too small: it must be a number from 0.05 to 3600, such as 0.5.",
        "timer",
    ),
    429: ("Too many requests", "Too many failed logins. Wait before the next one.", None),
    500: (
        "Internal error",
        "The gateway has failed on this request. The failure was logged under the request id.",
        None,
    ),
    503: ("The database is unavailable", "The database cannot be reached.", None),
}

_RETRY_AFTER = {"Retry-After": "Seconds until a new try makes sense"}
_HEADERS_OF = {
    401: {"WWW-Authenticate": "How to say who one is (RFC 9110, 11.6.1)"},
    405: {"Allow": "The methods that this address has"},
    429: _RETRY_AFTER
    | {
        "RateLimit-Limit": "How many the window allows",
        "RateLimit-Remaining": "How many are left in it",
        "RateLimit-Reset": "Seconds until there is room again",
    },
    503: _RETRY_AFTER,
}
_EXAMPLE_OF = {
    "WWW-Authenticate": 'Bearer realm="cryptomarket"',
    "Allow": "GET, HEAD",
    "Retry-After": 5,
    "RateLimit-Limit": 20,
    "RateLimit-Remaining": 0,
    "RateLimit-Reset": 5,
}


class FieldProblem(BaseModel):
    """What is wrong with one field of the request."""

    field: str = Field(examples=["timer"])
    message: str = Field(examples=["timer is too small: it must be a number from 0.05 to 3600, such as 0.5."])


class Problem(BaseModel):
    """An error (RFC 9457). `request_id` is also in the header X-Request-ID and in every log line of the request."""

    type: str = Field(default="about:blank", examples=["about:blank"])
    title: str = Field(examples=["Unknown ticker"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no ticker 'btc_usdd'. Did you mean btc_usd, btc_usdc, btc_usdt?"])
    request_id: str = Field(examples=["6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
    errors: list[FieldProblem] | None = None


def example_of(status: int, shown: Shown | None = None) -> dict[str, Any]:
    """The problem by which a status is shown."""
    title, detail, field = shown or _SHOWN[status]
    errors = [FieldProblem(field=field, message=detail)] if field else None
    problem = Problem(title=title, status=status, detail=detail, request_id=REQUEST_ID, errors=errors)
    return problem.model_dump(exclude_none=True)


def problem_responses(*statuses: int, shown: Mapping[int, Shown] | None = None) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may answer with these problems, each with its headers and an example: the usual
    one of its status, or the one in `shown` where a route's own says more.
    """
    declared: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        content = {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": example_of(status, (shown or {}).get(status)),
        }
        declared[status] = {"description": TITLES[status], "content": {MEDIA_TYPE: content}}
        headers = _HEADERS_OF.get(status)
        if headers:
            declared[status]["headers"] = {
                name: {
                    "description": description,
                    "schema": {"type": "integer" if isinstance(_EXAMPLE_OF[name], int) else "string"},
                    "example": _EXAMPLE_OF[name],
                }
                for name, description in headers.items()
            }
    return declared
