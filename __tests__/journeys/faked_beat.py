"""A beat whose clock is libfaketime's. That one refuses to let anybody sleep until a moment of a clock that it does not
fake, which is how Python sleeps (clock_nanosleep(2), TIMER_ABSTIME); so this one rests for a while instead.
"""

import select
import time
from typing import SupportsIndex

from cryptomarket.beat import main


def _rest(seconds: SupportsIndex | float) -> None:
    select.select([], [], [], float(seconds))


if __name__ == "__main__":
    time.sleep = _rest
    main()
