"""The only SQL of runs."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, case, delete, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cryptomarket.db import Database
from cryptomarket.jobs.runs import EXPIRED, LEFT, UNDER_WAY, Run, RunState
from cryptomarket.jobs.tables import job_runs

_run = job_runs.c
_RUNS = select(*(_run[name] for name in Run.__struct_fields__))
_WAITING = tuple(state.value for state in UNDER_WAY if state is not RunState.RUNNING)
_UNDER_WAY = tuple(state.value for state in UNDER_WAY)


class RunRepository:
    """Runs in the database. Every call raises DatabaseUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def begin(self, run: Run, *, again: bool, late: bool = False) -> Run | None:
        """Notes that a run begins, and gives it with its number of attempts; None when somebody else has begun it, when
        it has ended, or is no longer worth beginning. `again` says that whoever had begun it is known to have died;
        one that is `late` is begun only where it was noted before.
        """
        row = msgspec.structs.asdict(run)
        async with self._db.begin() as connection:
            # Of two who begin it at once, one is first.
            if not late and await self._db.upsert(connection, job_runs, [row], keys=["id"]) == 1:
                return run
            known = await _one(connection, run.id, locked=not self._db.is_sqlite)
            if known is None or not _may_begin(known, run.started_ms or 0, again=again):
                return None
            begun = msgspec.structs.replace(
                known,
                state=run.state,
                started_ms=run.started_ms,
                overdue_ms=run.overdue_ms,
                attempts=known.attempts + 1,
            )
            await _write(connection, begun)
        return begun

    async def note(self, run: Run) -> None:
        """Writes down what has become of a run, whether or not its beginning was."""
        row = msgspec.structs.asdict(run)
        async with self._db.begin() as connection:
            await self._db.upsert(
                connection, job_runs, [row], keys=["id"], update=[name for name in row if name != "id"]
            )

    async def request(self, run: Run, *, beside_itself: bool) -> Run | None:
        """Adds a run that somebody wants, for whoever runs jobs to find. Gives the one that is under way instead, and
        adds none, of a job that must not run beside itself.
        """
        async with self._db.begin() as connection:
            if not beside_itself:
                await self._wait_for_others(connection, run.job)
                under_way = await connection.execute(
                    _RUNS.where(
                        _run.job == run.job, _run.state.in_(_UNDER_WAY), _run.overdue_ms > run.scheduled_ms
                    ).limit(1)
                )
                if (found := under_way.one_or_none()) is not None:
                    return Run(*found)
            await connection.execute(insert(job_runs).values(msgspec.structs.asdict(run)))
        return None

    async def _wait_for_others(self, connection: AsyncConnection, job: str) -> None:
        # Who asks at the same time sees what this transaction adds, and not the state before. SQLite has one writer.
        if not self._db.is_sqlite:
            await connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"job:{job}"))))

    async def take(self, *, now_ms: int, limit: int = 10) -> list[Run]:
        """The oldest runs that were asked for by hand, each handed out once."""
        waiting = and_(_run.state == RunState.QUEUED.value, _run.overdue_ms > now_ms)
        asked = _RUNS.where(waiting).order_by(_run.scheduled_ms, _run.id).limit(limit)
        async with self._db.read() as connection:
            found = [Run(*row) for row in (await connection.execute(asked)).all()]
        if not found:
            return []
        taken = []
        async with self._db.begin() as connection:
            for run in found:
                mine = and_(_run.id == run.id, _run.state == RunState.QUEUED.value)
                told = await connection.execute(update(job_runs).where(mine).values(state=RunState.SENT.value))
                if told.rowcount == 1:
                    taken.append(run)
        return taken

    async def give_back(self, run: Run) -> None:
        """Lets somebody else find a run that was taken and could not be handed on."""
        sent = and_(_run.id == run.id, _run.state == RunState.SENT.value)
        async with self._db.begin() as connection:
            await connection.execute(update(job_runs).where(sent).values(state=RunState.QUEUED.value))

    async def one(self, run_id: str) -> Run | None:
        """The run of this name."""
        async with self._db.read() as connection:
            return await _one(connection, run_id)

    async def recent(
        self, *, limit: int, job: str | None = None, state: RunState | None = None, now_ms: int = 0
    ) -> list[Run]:
        """The newest runs, of one job or of all; in one state alone as of `now_ms`, see Run.as_of."""
        asked: Select[Any] = _RUNS
        if job is not None:
            asked = asked.where(_run.job == job)
        if state is not None:
            asked = asked.where(_is_now(state, now_ms))
        async with self._db.read() as connection:
            found = await connection.execute(asked.order_by(_run.scheduled_ms.desc(), _run.id.desc()).limit(limit))
            return [Run(*row) for row in found.all()]

    async def last_of_each(self) -> dict[str, Run]:
        """The newest run of each job that ever ran."""
        newest = select(_run.job, func.max(_run.scheduled_ms).label("newest_ms")).group_by(_run.job).subquery()
        asked = _RUNS.join(newest, and_(_run.job == newest.c.job, _run.scheduled_ms == newest.c.newest_ms))
        async with self._db.read() as connection:
            return {run.job: run for run in (Run(*row) for row in (await connection.execute(asked)).all())}

    async def tidy(self, job: str, *, now_ms: int, kept: int) -> None:
        """Ends the runs that are overdue, and takes away all but the newest `kept` of this job."""
        overdue = and_(_run.state.in_(_UNDER_WAY), _run.overdue_ms <= now_ms)
        runs = _run.state == RunState.RUNNING.value
        oldest_kept = (
            select(_run.scheduled_ms)
            .where(_run.job == job)
            .order_by(_run.scheduled_ms.desc())
            .limit(1)
            .offset(kept - 1)
            .scalar_subquery()
        )
        async with self._db.begin() as connection:
            await connection.execute(
                update(job_runs)
                .where(overdue)
                .values(
                    state=case((runs, literal(RunState.TIMED_OUT.value)), else_=literal(RunState.EXPIRED.value)),
                    error=case((runs, literal(LEFT)), else_=func.coalesce(_run.error, literal(EXPIRED))),
                    finished_ms=_run.overdue_ms,
                )
            )
            await connection.execute(
                delete(job_runs).where(
                    _run.job == job, _run.scheduled_ms < oldest_kept, or_(_run.state.not_in(_WAITING), overdue)
                )
            )

    async def end_left(self, *, now_ms: int, error: str) -> int:
        """Ends every run that is taken for running or handed on, where the one process has just begun. How many."""
        left = _run.state.in_([state.value for state in UNDER_WAY if state is not RunState.QUEUED])
        async with self._db.begin() as connection:
            told = await connection.execute(
                update(job_runs).where(left).values(state=RunState.FAILED.value, finished_ms=now_ms, error=error)
            )
            return told.rowcount


def _is_now(state: RunState, now_ms: int) -> ColumnElement[bool]:
    noted, overdue = _run.state == state.value, _run.overdue_ms <= now_ms
    if not state.is_final:
        return and_(noted, ~overdue)
    if state is RunState.TIMED_OUT:
        return or_(noted, and_(_run.state == RunState.RUNNING.value, overdue))
    if state is RunState.EXPIRED:
        return or_(noted, and_(_run.state.in_(_WAITING), overdue))
    return noted


def _may_begin(known: Run, now_ms: int, *, again: bool) -> bool:
    if known.state == RunState.RUNNING:
        return again
    if known.state == RunState.TIMED_OUT and known.error == LEFT:
        # It was only taken for ended: who hands it out again knows better.
        return again
    return not RunState(known.as_of(now_ms).state).is_final


async def _one(connection: AsyncConnection, run_id: str, *, locked: bool = False) -> Run | None:
    asked = _RUNS.where(_run.id == run_id)
    found = (await connection.execute(asked.with_for_update() if locked else asked)).one_or_none()
    return Run(*found) if found is not None else None


async def _write(connection: AsyncConnection, run: Run) -> None:
    row = msgspec.structs.asdict(run)
    await connection.execute(update(job_runs).where(_run.id == run.id).values(row))
