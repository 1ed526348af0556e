"""A bell: wakes those who wait, and remembers nothing."""

import asyncio


class Bell:
    """Wakes everyone who waits, and keeps nothing: who comes later waits for the next ring."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wakes all who wait now."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, wait_s: float | None = None) -> bool:
        """Waits for the next ring, at most `wait_s` seconds. Whether it rang."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            async with asyncio.timeout(wait_s):
                await future
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(future)
        return True
