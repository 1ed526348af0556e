"""Jobs for operators: what has run, how it went, and starting one by hand."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response

from cryptomarket.accounts.access import operator
from cryptomarket.jobs.parts import JobsParts
from cryptomarket.jobs.runs import RunState
from cryptomarket.jobs.schemas import (
    TASK_ID,
    StartedAnswer,
    TaskAnswer,
    TasksAnswer,
    job_told,
    run_told,
)
from cryptomarket.problems import problem_responses

router = APIRouter(prefix="/workers", tags=["jobs"], dependencies=[Depends(operator)])
TASKS_UNLESS_SAID = 50
MAX_TASKS = 500
FORBIDDEN = ("Forbidden", "This needs a token with the scope operator.", None)
_UNKNOWN = "There is no job 'collect_everything'; there are check_health, collect_index_prices."


async def jobs_of(request: Request) -> JobsParts:
    return cast("JobsParts", request.state.jobs)


Jobs = Annotated[JobsParts, Depends(jobs_of)]


@router.get(
    "/tasks",
    operation_id="list_tasks",
    summary="What has run",
    description="The newest runs of one job or of all, and the schedule. A bounded number of each job is remembered.",
    responses=problem_responses(
        400,
        401,
        403,
        404,
        422,
        503,
        shown={
            400: ("Malformed request", "limit can't be read: it must be a whole number from 1 to 500.", "limit"),
            403: FORBIDDEN,
            404: ("Not found", _UNKNOWN, "name"),
            422: ("Impossible request", "limit is too large: it must be a whole number from 1 to 500.", "limit"),
        },
    ),
)
async def list_tasks(
    jobs: Jobs,
    name: Annotated[
        str | None, Query(description="Runs of this job alone", examples=["check_health"], max_length=64)
    ] = None,
    state: Annotated[RunState | None, Query(description="Runs in this state alone", examples=["failed"])] = None,
    limit: Annotated[int, Query(description="So many at most", ge=1, le=MAX_TASKS, examples=[20])] = TASKS_UNLESS_SAID,
) -> TasksAnswer:
    """A run whose process died is told as of now, whatever it could still write down."""
    if name is not None:
        jobs.known(name, field="name")
    now_ms = jobs.clock.wall_ms()
    found = await jobs.runs.recent(limit=limit, job=name, state=state, now_ms=now_ms)
    told = [run_told(run.as_of(now_ms)) for run in found]
    return TasksAnswer(count=len(told), tasks=told, jobs=[job_told(job) for job in jobs.jobs.values()])


@router.get(
    "/tasks/{task}",
    operation_id="read_task",
    summary="How a run went",
    responses=problem_responses(
        401,
        403,
        404,
        422,
        503,
        shown={
            403: FORBIDDEN,
            404: ("Not found", "There is no such run, or it was long ago.", "task"),
            422: ("Impossible request", "task is too long: it must have at most 128 characters.", "task"),
        },
    ),
)
async def read_task(
    jobs: Jobs,
    task: Annotated[str, Path(description="A run, as it was named when started", examples=[TASK_ID], max_length=128)],
) -> TaskAnswer:
    """One run, from its request to its end."""
    return run_told(await jobs.one(task))


@router.post(
    "/tasks/{task}",
    operation_id="start_task",
    summary="Start a job by hand",
    description="It is begun within a second or two by whoever runs jobs: a worker, or this process where there is "
    "no other. What a job may be told: `tickers` for those that ask the exchange for prices, and for candles; `days` "
    "and `dry_run` for `remove_old_ticks`; `gaps` for `repair_gaps`; `resolution`, `start` and `end` for "
    "`check_candles`.",
    status_code=202,
    responses=problem_responses(
        400,
        401,
        403,
        404,
        409,
        413,
        422,
        503,
        shown={
            400: ("Malformed request", "The body can't be read: it must be a JSON object.", "body"),
            403: FORBIDDEN,
            404: ("Not found", _UNKNOWN, "task"),
            409: ("Conflict", "The job repair_gaps is under way already, and must not run beside itself.", None),
            422: ("Impossible request", "days must be a whole number from 1 to 36500.", "days"),
        },
    ),
)
async def start_task(
    jobs: Jobs,
    response: Response,
    task: Annotated[str, Path(description="A job, by its name", examples=["check_health"], max_length=128)],
    arguments: Annotated[
        dict[str, Any] | None,
        Body(
            description="What it is told; nothing: as on schedule",
            openapi_examples={
                "as on schedule": {"value": {}},
                "these tickers": {"value": {"tickers": ["btc_usd"]}},
                "what would go": {"value": {"days": 30, "dry_run": True}},
            },
        ),
    ] = None,
) -> StartedAnswer:
    """202 with where to look. 409 while it is running and must not run beside itself."""
    run = await jobs.ask_for(task, arguments or {})
    status_url = f"/workers/tasks/{run.id}"
    response.headers["Location"] = status_url
    return StartedAnswer(task_id=run.id, status_url=status_url)
