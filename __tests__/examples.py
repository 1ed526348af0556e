"""How many examples a property is tried with: a few in `make test`, TIMES as many in the oracle."""

import os

from hypothesis import settings

TIMES = int(os.environ.get("PROPERTY_TIMES", "1"))


def examples(count: int) -> settings:
    """For a property of which `count` examples are enough in the short form."""
    return settings(max_examples=count * TIMES)
