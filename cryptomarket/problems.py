"""How errors look from outside: RFC 9457 problem documents, and their declaration in OpenAPI."""

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

_RETRY_AFTER = {"Retry-After": "Seconds until a new try makes sense"}
_HEADERS_OF = {
    429: _RETRY_AFTER
    | {
        "RateLimit-Limit": "How many the window allows",
        "RateLimit-Remaining": "How many are left in it",
        "RateLimit-Reset": "Seconds until there is room again",
    },
    503: _RETRY_AFTER,
}


class FieldProblem(BaseModel):
    """What is wrong with one field of the request."""

    field: str = Field(examples=["timer"])
    message: str = Field(examples=["timer is a number of seconds from 0.05 to 3600"])


class Problem(BaseModel):
    """An error (RFC 9457). `request_id` is also in the header X-Request-ID and in every log line of the request."""

    type: str = Field(default="about:blank", examples=["about:blank"])
    title: str = Field(examples=["Unknown ticker"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no ticker 'btc_usdd'. Did you mean btc_usd, btc_usdc, btc_usdt?"])
    request_id: str = Field(examples=["6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
    errors: list[FieldProblem] | None = None


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may answer with these problems. 429 and 503 carry Retry-After."""
    declared: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        declared[status] = {
            "description": TITLES[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        headers = _HEADERS_OF.get(status)
        if headers:
            declared[status]["headers"] = {
                name: {"description": description, "schema": {"type": "integer"}}
                for name, description in headers.items()
            }
    return declared
