"""What became of the jobs."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from cryptomarket.db import metadata, word

# Bound: the newest runs of each job (JOB_RUNS_KEPT); a run that ends takes the oldest away.
job_runs = Table(
    "job_runs",
    metadata,
    Column("id", word(), primary_key=True),
    Column("job", word(), nullable=False),
    Column("cause", word(), nullable=False),
    Column("state", word(), nullable=False),
    Column("scheduled_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("finished_ms", BigInteger),
    # When one that waits is no longer worth beginning, and one that runs is no longer believed to.
    Column("overdue_ms", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("result", Text),
    Column("error", Text),
    Index(None, "job", "scheduled_ms"),
    Index(None, "state"),
)
