"""Stores of tests that want one of their own at once: the revisions are run once, and then copied."""

from pathlib import Path

from cryptomarket.db.migration import migrate

_MIGRATED: list[bytes] = []


async def fresh_store(path: Path) -> str:
    """The address of a new SQLite store of the newest revision at `path`."""
    url = f"sqlite:///{path}"
    if _MIGRATED:
        path.write_bytes(_MIGRATED[0])  # noqa: ASYNC240  nothing else waits for this loop
    else:
        await migrate(url)
        _MIGRATED.append(path.read_bytes())  # noqa: ASYNC240  as above
    return url
