"""A worker with a job that never gives the event loop back: what a call that forgets to await does. Its processes do
three tasks each.
"""

import threading

from cryptomarket import broker
from cryptomarket.jobs.arguments import Arguments
from cryptomarket.jobs.job import Occasion, Result
from cryptomarket.roles.jobs import Works
from cryptomarket.worker import main

JOB = "make_partitions"


async def _block(_works: Works, _arguments: Arguments, _occasion: Occasion) -> Result:
    threading.Event().wait()
    return {}


if __name__ == "__main__":
    broker.TASKS_PER_CHILD = 3
    Works.make_partitions = _block  # type: ignore[method-assign,assignment]
    main()
