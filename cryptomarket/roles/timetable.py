"""The schedule with the periods of the settings."""

from cryptomarket.jobs.job import Job
from cryptomarket.schedule import DEFAULT_PERIODS_S, jobs_of
from cryptomarket.settings import Settings


def jobs_in(settings: Settings) -> dict[str, Job]:
    """Every job by name. Without a retention, nothing is removed on schedule."""
    periods_s = {name: getattr(settings, f"{name}_s") for name in DEFAULT_PERIODS_S}
    if settings.retention_days == 0:
        periods_s["remove_old_ticks"] = 0.0
    return jobs_of(periods_s, limit_s=settings.job_limit_s, grace_s=settings.job_grace_s)
