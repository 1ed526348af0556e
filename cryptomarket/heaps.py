"""The heaps of this process: as few as its threads need."""

import ctypes
import os

HEAPS = 2
_M_ARENA_MAX = -8
_ALLOCATOR_OF_ARROW = "ARROW_DEFAULT_MEMORY_POOL"


def bound_heaps() -> bool:
    """Bounds them, for threads that begin later; whether the C library has such a bound.

    glibc gives each thread a heap, up to eight for each core, and what has been free in one of them once is of no use
    to the others (mallopt(3), M_ARENA_MAX). Ours take turns with large pieces. Arrow, once it is loaded, would bring an
    allocator that does the same (arrow.apache.org/docs/cpp/env_vars.html); unless its own setting says otherwise, it
    takes what all the others do.
    """
    os.environ.setdefault(_ALLOCATOR_OF_ARROW, "system")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_ARENA_MAX, HEAPS))
