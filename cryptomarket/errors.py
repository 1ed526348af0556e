"""Every error of the gateway's own, as one tree. A branch exists because a caller does something different there.

CryptomarketError
├── Refusal                  the asker is told so; nothing was changed
│   ├── Malformed            400  unreadable
│   ├── Unauthenticated      401  who are you
│   ├── Forbidden            403  not yours
│   ├── NotFound             404  no such thing
│   │   └── UnknownTicker         …and the nearest names that exist
│   ├── Conflict             409  it is being done already
│   ├── TooLarge             413  more than we read
│   ├── Impossible           422  well-formed, and cannot be
│   └── TooMany              429  come back in `retry_after_s`
├── Unavailable              503  a part is away; it is waited for and comes back by itself
│   ├── ExchangeUnavailable
│   ├── BusUnavailable
│   └── DatabaseUnavailable
├── ExchangeError            the exchange answered with an error code
│   ├── ExchangeRetryable         the same request may succeed later
│   └── ExchangeFatal             the same request will fail again
├── Fenced                   an owner that lost its lease tried to publish: it stops
├── LogTooShort              the log no longer reaches back: the reader starts anew from snapshots
└── StartRefused             a setting or a store that cannot work: one sentence, and no start
"""

from collections.abc import Sequence


class CryptomarketError(Exception):
    """Root of the tree. Carries data; computes its sentence."""


class Refusal(CryptomarketError):
    """A request that is answered with an error of the asker's side and changes nothing."""

    status = 400
    title = "Bad request"

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class Malformed(Refusal):
    """The request cannot be read."""

    status = 400
    title = "Malformed request"


class Unauthenticated(Refusal):
    """It is not known who asks, or the proof of it is not valid."""

    status = 401
    title = "Not authenticated"


class Forbidden(Refusal):
    """It is known who asks, and this is not his."""

    status = 403
    title = "Forbidden"


class NotFound(Refusal):
    """There is no such thing."""

    status = 404
    title = "Not found"


class UnknownTicker(NotFound):
    """No index and no instrument has this name. `nearest` are the closest names that exist."""

    title = "Unknown ticker"

    def __init__(self, name: str, nearest: Sequence[str] = ()) -> None:
        self.name = name
        self.nearest = tuple(nearest)
        hint = f" Did you mean {', '.join(self.nearest)}?" if self.nearest else ""
        what = f"There is no ticker {name[:64]!r}." if name else "A ticker's name can't be empty."
        super().__init__(f"{what}{hint}", field="ticker")


class Conflict(Refusal):
    """The same thing is under way already."""

    status = 409
    title = "Conflict"


class TooLarge(Refusal):
    """The request is larger than what is read."""

    status = 413
    title = "Too large"


class Impossible(Refusal):
    """The request can be read, and asks for what cannot be."""

    status = 422
    title = "Impossible request"


class TooMany(Refusal):
    """A limit was reached. `retry_after_s` seconds later there is room again; `limit` is the limit's size."""

    status = 429
    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after_s: float, limit: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s
        self.limit = limit


class Unavailable(CryptomarketError):
    """A part of the gateway is away. It is being waited for; the asker may come back in `retry_after_s` seconds."""

    part = "gateway"

    def __init__(self, detail: str, *, retry_after_s: float = 5.0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class ExchangeUnavailable(Unavailable):
    """The exchange cannot be reached, or did not answer in time."""

    part = "exchange"


class BusUnavailable(Unavailable):
    """The bus cannot be reached."""

    part = "bus"


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached."""

    part = "database"


class ExchangeError(CryptomarketError):
    """The exchange answered with an error. `code`, `message` and `reason`, which often is none, are as sent
    (docs.deribit.com/articles/errors).
    """

    def __init__(self, code: int, message: str, *, method: str = "", reason: str = "") -> None:
        self.code = code
        self.message = message
        self.method = method
        self.reason = reason
        where = f"{method}: " if method else ""
        super().__init__(f"{where}exchange error {code} {message}")


class ExchangeRetryable(ExchangeError):
    """The same request may succeed later."""


class ExchangeFatal(ExchangeError):
    """The same request will fail again."""


class Fenced(CryptomarketError):
    """A publication was refused because a newer owner holds the lease, or because the epoch has ended."""

    def __init__(self, name: str, token: int) -> None:
        self.name = name
        self.token = token
        super().__init__(f"the lease {name} has a newer owner than token {token}")


class LogTooShort(CryptomarketError):
    """The log does not hold everything after the asked position, or the position is of another epoch."""


class StartRefused(CryptomarketError):
    """A setting, or a store, with which the gateway can't work. The sentence is for the person who starts it."""
