"""Celery as this gateway uses it: one application from the settings, for workers, beat and whoever looks at them.

Nothing of it is on the way of a tick. What becomes of a run is in the database, so there is no result backend; messages
are JSON and hold names, times and arguments, never a secret.
"""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from celery import Celery, signals
from kombu.entity import Queue as BrokerQueue

from cryptomarket.backplane.keys import Keys
from cryptomarket.errors import StartRefused
from cryptomarket.jobs.job import LONGEST_PAUSE_S, Job, Queue
from cryptomarket.market.instruments import Exchange
from cryptomarket.roles.timetable import jobs_in
from cryptomarket.settings import SENTINEL_PORT, Settings
from cryptomarket.telemetry import configure_logging

LOOK_S = 1.0
TASKS_PER_CHILD = 1000
# A process that has grown beyond this is replaced after its task. The whole worker has 176 MiB in docker-compose.yml,
# of which its first process takes some 25 for itself.
CHILD_KB = 150_000
RESTORE_S = 5
# How long a task that is given out again may wait for a worker that has time.
SLACK_S = 300.0
HEALTH_S = 5


class Address:
    """Where Redis is, in the words of Celery and of redbeat. Raises StartRefused where there is none."""

    def __init__(self, settings: Settings) -> None:
        url = settings.redis_address
        if not url:
            raise StartRefused("Workers need a Redis to wait at; set REDIS_URL. Without one, jobs run in the gateway.")
        parts = urlsplit(url)
        self.transport_options: dict[str, object] = {}
        self.beat_options: dict[str, object] = {}
        self.celery_url = self.beat_url = url
        if parts.scheme == "unix":
            self.celery_url = f"redis+socket://{unquote(parts.path)}"
        elif "sentinel" in parts.scheme:
            self._watch(parts.netloc, parts.path)

    def _watch(self, netloc: str, path: str) -> None:
        login, _, hosts = netloc.rpartition("@")
        name, _, database = path.strip("/").partition("/")
        credentials = f"{login}@" if login else ""
        named = [urlsplit(f"//{host}") for host in hosts.split(",")]
        sentinels = [(host.hostname or "", host.port or SENTINEL_PORT) for host in named]
        self.celery_url = ";".join(f"sentinel://{credentials}{host}:{port}/{database or 0}" for host, port in sentinels)
        self.beat_url = f"redis-sentinel://{sentinels[0][0]}:{sentinels[0][1]}/{database or 0}"
        username, _, password = login.partition(":")
        self.transport_options = {"master_name": unquote(name)}
        self.beat_options = {
            "sentinels": sentinels,
            "service_name": unquote(name),
            "password": unquote(password) or None,
            "db": int(database or 0),
        }
        if username:
            self.beat_options["username"] = unquote(username)


def broker_app(settings: Settings) -> Celery:
    """The application, without tasks. Raises StartRefused."""
    if "exchange" not in settings.model_fields_set:
        raise StartRefused(f"Workers need an EXCHANGE that was said; set it to {', '.join(Exchange)}.")
    address, jobs, prefix = Address(settings), jobs_in(settings), Keys(settings.exchange.value).prefix
    app = Celery("cryptomarket", broker=address.celery_url, set_as_current=True)
    app.conf.update(
        broker_transport_options={
            **address.transport_options,
            **_patience(settings),
            "global_keyprefix": f"{prefix}celery:",
            "visibility_timeout": settings.job_dead_s,
            "unacked_restore_interval": RESTORE_S,
            "unacked_restore_throttle": 1,
            # A connection that was cut off without a word is noticed by this, and by nothing else.
            "health_check_interval": HEALTH_S,
            "socket_keepalive": True,
            # What waits in `high` is taken first; there are no priorities within a queue.
            "queue_order_strategy": "priority",
            "priority_steps": [0],
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        accept_content=["json"],
        task_serializer="json",
        event_serializer="json",
        task_ignore_result=True,
        result_expires=None,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_prefetch_multiplier=1,
        worker_concurrency=1,
        worker_max_tasks_per_child=TASKS_PER_CHILD,
        worker_max_memory_per_child=CHILD_KB,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=True,
        task_send_sent_event=True,
        task_create_missing_queues=False,
        task_default_queue=Queue.DEFAULT.value,
        task_queues=[BrokerQueue(queue.value) for queue in Queue],  # type: ignore[no-untyped-call]
        task_routes={job.name: {"queue": job.queue.value} for job in jobs.values()},
        timezone="UTC",
        enable_utc=True,
        beat_schedule={job.name: _line(job, settings.job_dead_s) for job in jobs.values() if job.period_s > 0},
    )
    return app


def beat_app(settings: Settings) -> Celery:
    """The application of a beat. Only it knows redbeat's settings: a worker tells Flower all of its own, and of what is
    secret in them Celery hides only what it knows. Raises StartRefused.
    """
    app, address, prefix = broker_app(settings), Address(settings), Keys(settings.exchange.value).prefix
    app.conf.update(
        beat_scheduler="cryptomarket.beat:Timekeeper",
        beat_max_loop_interval=LOOK_S,
        redbeat_redis_url=address.beat_url,
        redbeat_redis_options={**address.beat_options, **_patience(settings)},
        redbeat_key_prefix=f"{prefix}beat:",
        redbeat_lock_key=f"{prefix}beat:lock",
        redbeat_lock_timeout=settings.beat_dead_s,
    )
    return app


def _patience(settings: Settings) -> dict[str, float]:
    return {
        "socket_timeout": settings.redis_timeout_s,
        "socket_connect_timeout": settings.redis_connect_timeout_s,
    }


def kept_s(job: Job, dead_s: float) -> float:
    """How long a message is kept in Redis: until the task of a worker that has died, in its last try, is found by
    another. A message that nobody has begun within the job's expiry is left out by the worker that takes it.
    """
    return job.expiry_s + job.retries * (job.end_s + LONGEST_PAUSE_S) + dead_s + SLACK_S


def _line(job: Job, dead_s: float) -> dict[str, object]:
    options = {"queue": job.queue.value, "expires": kept_s(job, dead_s)}
    return {"task": job.name, "schedule": job.period_s, "options": options}


def log_as_we_do(settings: Settings) -> Callable[..., None]:
    """Lets Celery's lines go through our handler, redaction included. Keep what is returned: the signal does not."""

    def configure(**_options: object) -> None:
        configure_logging(settings.log_level, settings.log_format)

    signals.setup_logging.connect(configure)
    return configure


def alive_file(settings: Settings, who: str) -> Path:
    """The file whose age tells whether a worker or beat lives: each touches its own every few seconds."""
    return settings.data_dir / f"{who}.alive"
