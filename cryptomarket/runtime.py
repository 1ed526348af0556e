"""The composition root: settings and a role → parts, built in order, supervised together, closed in reverse.

Nobody below imports this. A part that crashes takes the process down, loudly: half-alive is the state we refuse.
"""

import asyncio
import os
import random
import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from cryptomarket.catalog.bulletin import Bulletin
from cryptomarket.catalog.directory import Catalogue
from cryptomarket.clock import Clock
from cryptomarket.db import Database
from cryptomarket.errors import BusUnavailable, DatabaseUnavailable
from cryptomarket.foundation import Backplane, open_backplane, open_database
from cryptomarket.history.ledger import Ledger
from cryptomarket.history.questions import History
from cryptomarket.history.repository import Repository
from cryptomarket.ingest.errands import Errands
from cryptomarket.jobs.clockwork import Clockwork
from cryptomarket.jobs.parts import JobsParts, nothing
from cryptomarket.jobs.repository import RunRepository
from cryptomarket.live.hub import Hub
from cryptomarket.observation import Observer
from cryptomarket.operation import OperationParts
from cryptomarket.pulse import Pulses
from cryptomarket.roles.api import Api, build_api
from cryptomarket.roles.ingest import Ingest, build_ingest
from cryptomarket.roles.jobs import build_clockwork, build_works
from cryptomarket.roles.requests import check_request
from cryptomarket.roles.role import Role
from cryptomarket.roles.side import Side, Tasks, Work
from cryptomarket.roles.store import Store, build_store
from cryptomarket.roles.timetable import jobs_in
from cryptomarket.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Runtime:
    """What runs: the state that routes take their parts from, and, in a process that serves readers, the API side."""

    state: Mapping[str, object]
    api: Api | None

    @property
    def hub(self) -> Hub:
        """What ends streams. Raises LookupError in a process that has none."""
        if self.api is None:
            raise LookupError("This process serves no readers.")
        return self.api.hub


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a role is made of, in the order of the walk of a tick."""

    ingest: Ingest | None
    store: Store | None
    api: Api | None
    pulses: Pulses
    clockwork: Clockwork | None
    extra: Side

    @property
    def sides(self) -> Sequence[Side]:
        built = [part.side for part in (self.ingest, self.store, self.api) if part is not None]
        return [*built, self.extra]


@asynccontextmanager
async def running(settings: Settings, *, ws_url: str, role: Role = Role.ALL) -> AsyncIterator[Runtime]:
    """All of a role, running until the block ends. Raises StartRefused, and whatever a part dies of."""
    clock = Clock.system()
    async with AsyncExitStack() as stack:
        # Asked first, since nothing is made there: what is refused here has not touched the database.
        backplane = await stack.enter_async_context(open_backplane(settings, clock))
        database = await stack.enter_async_context(open_database(settings))
        # Two gateways that know nothing of one another would each hear and store every tick.
        await stack.enter_async_context(database.held(shared=backplane.is_shared))
        parts = await _build(settings, ws_url, role, database, backplane, clock)
        runtime = Runtime(_state(settings, role, database, backplane, parts), parts.api)
        async with _supervised(parts.sides, farewell_timeout_s=settings.farewell_timeout_s):
            yield runtime


async def _build(
    settings: Settings, ws_url: str, role: Role, database: Database, backplane: Backplane, clock: Clock
) -> _Parts:
    process = f"{os.getpid()}-{secrets.token_hex(4)}"
    rows = Repository(database)
    history = History(rows, backplane.bus, clock=clock)
    ingest = build_ingest(settings, ws_url, backplane, history, clock, process=process) if role.hears else None
    store = build_store(settings, backplane.bus, rows, clock, process=process) if role.stores else None
    own = [part.pulse for part in (ingest, store) if part is not None]
    pulses = Pulses(backplane.cache, process=process, beat_s=settings.pulse_s, own=own)
    speakers: dict[str, Work] = {"pulses": pulses.run}
    api = None
    if role.serves:
        if ingest is not None:
            catalogue = ingest.catalogue
        else:
            catalogue = Catalogue(
                Errands(backplane.mailroom),
                clock=clock,
                timeout_s=settings.request_timeout_s,
                absent_s=settings.refused_channel_s,
            )
            speakers["catalogue"] = catalogue.run
            speakers["news of instruments"] = Bulletin(catalogue, backplane.bus, random=random.random).listen
        api = await build_api(settings, database, backplane, history, catalogue, clock, process=process)
        pulses.on_beat = partial(_tell_who_hears, pulses, api.hub)
    clockwork = None
    # Where processes share a backplane, jobs are the workers' matter.
    if ingest is not None and role.serves and not backplane.is_shared:
        works = build_works(settings, database, backplane, ingest.pool, ingest.catalogue, clock, process=process)
        clockwork = build_clockwork(settings, works)
        speakers["jobs"] = clockwork.run
    return _Parts(ingest, store, api, pulses, clockwork, Side(speakers=speakers))


def _tell_who_hears(pulses: Pulses, hub: Hub) -> None:
    """Streams are told when nobody hears the exchange any more, since nobody is left who would publish it."""
    if pulses.nobody_hears:
        if hub.lose_ingest():
            log.warning("no process hears the exchange; streams are told so")
    elif pulses.ingests:
        hub.find_ingest({ticker for pulse in pulses.ingests for ticker in pulse.watched})


def _state(
    settings: Settings, role: Role, database: Database, backplane: Backplane, parts: _Parts
) -> Mapping[str, object]:
    ingest, store, api, clockwork = parts.ingest, parts.store, parts.api, parts.clockwork
    observer = Observer(
        exchange=settings.exchange.value,
        hears=role.hears,
        stores=role.stores,
        database=database,
        bus=backplane.bus,
        leases=backplane.leases,
        # What runs here is asked itself; of other processes, their last pulse is known.
        ingests=(lambda: parts.pulses.ingests) if ingest is None else (lambda: [ingest.pulse()]),
        stores_known=(lambda: parts.pulses.stores) if store is None else (lambda: [store.pulse()]),
        hub=api.hub if api is not None else None,
        places=api.accounts.places if api is not None else None,
        jobs_late_s=(lambda: clockwork.late_s) if clockwork is not None else None,
    )
    ledger = Ledger(database, Clock.system())
    operation = OperationParts(
        settings.exchange.value, observer.reachable, observer.readiness, observer.operation, ledger.recent
    )
    jobs = JobsParts(
        jobs_in(settings),
        RunRepository(database),
        Clock.system(),
        on_asked=clockwork.look if clockwork is not None else nothing,
        check=check_request,
    )
    return {**({**api.state, "jobs": jobs} if api is not None else {}), "operation": operation}


@asynccontextmanager
async def _supervised(sides: Sequence[Side], *, farewell_timeout_s: float) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as listening:
        listeners = _start(listening, {name: work for side in sides for name, work in side.listeners.items()})
        try:
            async with asyncio.TaskGroup() as speaking:
                speakers = _start(speaking, {name: work for side in sides for name, work in side.speakers.items()})
                try:
                    yield
                finally:
                    await _end(speakers.values())
        finally:
            # In the order of the walk of a tick: nothing new is heard, what was heard is published and stored.
            # Also when a part has died: whoever listens outlives those who speak.
            await asyncio.shield(_say_farewell(sides, listeners, farewell_timeout_s))
            await _end(listeners.values())


def _start(group: asyncio.TaskGroup, works: Mapping[str, Work]) -> dict[str, asyncio.Task[None]]:
    tasks = {name: group.create_task(_lasting(name, work), name=name) for name, work in works.items()}
    for task in tasks.values():
        task.add_done_callback(_tell_death)
    return tasks


async def _lasting(name: str, work: Work) -> None:
    """A part for as long as it runs. A cancellation that nobody has asked for would end it, and nobody would know."""
    try:
        await work()
    except asyncio.CancelledError as stray:
        own = asyncio.current_task()
        if own is not None and own.cancelling():
            raise
        raise RuntimeError(f"The part {name} was cancelled, and nobody had asked for that.") from stray


def _tell_death(task: asyncio.Task[None]) -> None:
    """Says at once what the process dies of; the rest of its end may take a while."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("a part has died, and the process ends", part=task.get_name(), exc_info=error)


async def _end(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _say_farewell(sides: Sequence[Side], listeners: Tasks, timeout_s: float) -> None:
    """Writes down what is only in memory, so far as bus, database and writer live and let us, and no longer."""
    try:
        async with asyncio.timeout(timeout_s):
            for side in sides:
                await side.farewell(listeners)
    except (BusUnavailable, DatabaseUnavailable, TimeoutError) as away:
        log.warning("could not write everything down before the end", reason=str(away) or "it took too long")
