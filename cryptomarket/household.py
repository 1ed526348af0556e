"""The parts of a worker process, on one event loop that lives as long as the process does."""

import asyncio
import concurrent.futures
import os
import secrets
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeVar

import structlog
import uvloop
from celery.exceptions import SoftTimeLimitExceeded

from cryptomarket.catalog.directory import Catalogue
from cryptomarket.clock import Clock
from cryptomarket.errors import BusUnavailable, DatabaseUnavailable, StartRefused, Unavailable
from cryptomarket.foundation import open_backplane, open_database
from cryptomarket.ingest.errands import Errands
from cryptomarket.jobs.repository import RunRepository
from cryptomarket.jobs.runner import Runner, caught
from cryptomarket.jobs.runs import Run
from cryptomarket.roles.jobs import build_runner, build_works
from cryptomarket.settings import Settings

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")
LOOK_S = 1.0
FRAMES = 8


@dataclass(frozen=True, slots=True)
class House:
    """What a task works with."""

    runner: Runner
    runs: RunRepository


class Household:
    """Opens its parts with the first task, keeps them, and hands on the runs that were asked for by hand: `send` is
    called with each, in a thread. While the servers are away, whoever asks is told Unavailable, and the next one tries.
    """

    def __init__(self, settings: Settings, *, send: Callable[[Run], None]) -> None:
        self._settings = settings
        self._send = send
        self._began = threading.Event()
        self._thread = threading.Thread(target=self._live, name="household", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._house: House | None = None

    def start(self) -> None:
        """Begins the loop."""
        self._thread.start()
        if not self._began.wait(self._settings.job_parts_timeout_s):
            raise Unavailable("The event loop of this worker has not begun.")

    def stop(self) -> None:
        """Closes the parts, and ends the loop."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join(self._settings.job_parts_timeout_s)

    def run(self, task: Callable[[House], Awaitable[Answer]]) -> Answer:
        """What a task has come to; for threads that are not the loop's. A task that nobody waits for any more is
        cancelled. Raises Unavailable, and what the task raises.
        """
        if self._loop is None:
            raise Unavailable("The event loop of this worker has not begun.")
        asked = asyncio.run_coroutine_threadsafe(self._asked(task), self._loop)
        try:
            return asked.result()
        except concurrent.futures.CancelledError:
            raise Unavailable("The event loop of this worker has ended.") from None
        except SoftTimeLimitExceeded:
            # Celery's first limit is raised here, in the midst of waiting.
            asked.cancel()
            self._wait_for_the_end()
            raise
        finally:
            asked.cancel()

    def _wait_for_the_end(self) -> None:
        """Returns when the loop answers. What keeps it from that can't be cancelled, and would keep every task to come
        from running: this one stays, until Celery's second limit ends the process, and with it what blocks it.
        """
        answered = threading.Event()
        assert self._loop is not None  # noqa: S101  for the type
        self._loop.call_soon_threadsafe(answered.set)
        # Long before the second limit, so that there is time to say it.
        if not answered.wait(self._settings.job_grace_s / 5):
            frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001  the only way to see a thread
            where = "".join(traceback.format_stack(frame, limit=FRAMES)) if frame is not None else ""
            log.error("a task blocks the event loop; this process will be ended", where=where)
            answered.wait()

    async def _asked(self, task: Callable[[House], Awaitable[Answer]]) -> Answer:
        return await task(await self._opened())

    def _live(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._keep())

    async def _keep(self) -> None:
        self._over = asyncio.Event()
        self._opening = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        async with AsyncExitStack() as self._stack:
            self._began.set()
            handing_on = asyncio.create_task(self._hand_on(), name="runs asked for by hand")
            try:
                await self._over.wait()
            finally:
                handing_on.cancel()
                await asyncio.gather(handing_on, return_exceptions=True)

    async def _opened(self) -> House:
        async with self._opening:
            if self._house is None:
                self._house = await self._open()
            return self._house

    async def _open(self) -> House:
        settings, clock = self._settings, Clock.system()
        async with AsyncExitStack() as undo:
            try:
                backplane = await undo.enter_async_context(open_backplane(settings, clock))
                database = await undo.enter_async_context(open_database(settings))
                await undo.enter_async_context(database.held(shared=backplane.is_shared))
            except StartRefused as refusal:
                # What is away now may be back for the next task.
                raise Unavailable(str(refusal)) from None
            errands = Errands(backplane.mailroom)
            catalogue = Catalogue(errands, clock=clock, timeout_s=settings.request_timeout_s)
            process = f"{os.getpid()}-{secrets.token_hex(4)}"
            works = build_works(settings, database, backplane, errands, catalogue, clock, process=process)
            self._stack.push_async_exit(undo.pop_all())
        return House(build_runner(settings, works), RunRepository(database))

    async def _hand_on(self) -> None:
        while True:
            await caught(self._hand_on_all(), "runs that were asked for can't be looked for")
            await asyncio.sleep(LOOK_S)

    async def _hand_on_all(self) -> None:
        try:
            house = await self._opened()
            for run in await house.runs.take(now_ms=Clock.system().wall_ms()):
                sent = await caught(
                    self._hand_on_one(house, run), "a run that was asked for can't be sent", job=run.job, run=run.id
                )
                if isinstance(sent, Exception):
                    await house.runner.give_up(run, sent)
        except (BusUnavailable, DatabaseUnavailable, Unavailable) as away:
            log.debug("runs that were asked for can't be looked for", reason=away.detail)

    async def _hand_on_one(self, house: House, run: Run) -> None:
        try:
            await asyncio.to_thread(self._send, run)
        except BusUnavailable as away:
            log.warning("a run that was asked for can't be sent yet", run=run.id, reason=away.detail)
            await house.runs.give_back(run)
