"""What callers see of jobs and their runs."""

from typing import Any

import msgspec
from pydantic import BaseModel, Field

from cryptomarket.jobs.job import Job
from cryptomarket.jobs.results import read_result
from cryptomarket.jobs.runs import Run, RunState

TASK_ID = "collect_index_prices-1790165100000"


class TaskAnswer(BaseModel):
    """One run of a job. Times are milliseconds since the epoch."""

    id: str = Field(examples=[TASK_ID])
    name: str = Field(examples=["collect_index_prices"])
    state: RunState = Field(examples=["succeeded"])
    cause: str = Field(description="`schedule`, or `hand`.", examples=["schedule"])
    attempts: int = Field(description="How often it was begun.", examples=[1])
    scheduled: int = Field(description="The time that it is meant for.", examples=[1790165100000])
    started: int | None = Field(examples=[1790165100012])
    finished: int | None = Field(examples=[1790165100084])
    arguments: dict[str, Any] = Field(examples=[{}])
    result: dict[str, Any] | None = Field(examples=[{"stored": {"btc_usd": {"price": 86512.27}}, "refused": {}}])
    error: str | None = Field(description="Why it failed, or is tried again.", examples=[None])


class JobAnswer(BaseModel):
    """One line of the schedule."""

    name: str = Field(examples=["collect_index_prices"])
    about: str = Field(examples=["Asks the exchange for the prices of indices, and stores them beside the stream."])
    period_s: float = Field(description="0: never by itself.", examples=[60.0])
    queue: str = Field(description="`high`, `default` or `low`.", examples=["high"])
    limit_s: float = Field(description="How long it may take.", examples=[30.0])
    may_run_beside_itself: bool = Field(examples=[True])


class TasksAnswer(BaseModel):
    """The newest runs first, and the schedule."""

    count: int = Field(examples=[1])
    tasks: list[TaskAnswer]
    jobs: list[JobAnswer]


class StartedAnswer(BaseModel):
    """A run that was asked for."""

    task_id: str = Field(examples=["6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
    status_url: str = Field(examples=["/workers/tasks/6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])


def run_told(run: Run) -> TaskAnswer:
    """A run as callers see it."""
    return TaskAnswer(
        id=run.id,
        name=run.job,
        state=RunState(run.state),
        cause=run.cause,
        attempts=run.attempts,
        scheduled=run.scheduled_ms,
        started=run.started_ms,
        finished=run.finished_ms,
        arguments=msgspec.json.decode(run.arguments),
        result=None if run.result is None else read_result(run.result),
        error=run.error,
    )


def job_told(job: Job) -> JobAnswer:
    """A line of the schedule as callers see it."""
    return JobAnswer(
        name=job.name,
        about=job.about,
        period_s=job.period_s,
        queue=job.queue.value,
        limit_s=job.limit_s,
        may_run_beside_itself=job.beside_itself,
    )
