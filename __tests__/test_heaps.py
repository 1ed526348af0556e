"""Memory that threads take and give back, as the C library accounts for it (malloc_info(3))."""

import os
import subprocess
import sys

import pytest

from cryptomarket.heaps import HEAPS

PROGRAM = """
import ctypes, re, tempfile, threading
from cryptomarket.heaps import bound_heaps
if {is_bound}:
    assert bound_heaps()
gate = threading.Barrier(6)
def take():
    gate.wait()
    blocks = [bytes(1000) for _ in range(1000)]
    gate.wait()
threads = [threading.Thread(target=take) for _ in range(6)]
for one in threads: one.start()
for one in threads: one.join()
library = ctypes.CDLL(None)
library.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as told:
    stream = ctypes.c_void_p(library.fopen(told.name.encode(), b"w"))
    library.malloc_info(0, stream)
    library.fclose(stream)
    print(len(re.findall(b"<heap nr=", told.read())))
"""


@pytest.mark.parametrize("is_bound", [True, False])
def test_threads_share_heaps(*, is_bound: bool) -> None:
    """Promise: what threads have used once is used again by others, not held by each; without the bound it is."""
    words = [sys.executable, "-c", PROGRAM.format(is_bound=is_bound)]
    heaps = int(subprocess.run(words, capture_output=True, check=True, text=True).stdout)
    assert (heaps <= HEAPS) is is_bound, heaps


def test_arrow_takes_what_all_others_take() -> None:
    """Promise: what columns are written with is of the same heaps; who has set another allocator keeps it."""
    asked = "from cryptomarket.heaps import bound_heaps; bound_heaps()\n"
    asked += "import pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    for given, expected in (({}, "system"), ({"ARROW_DEFAULT_MEMORY_POOL": "mimalloc"}, "mimalloc")):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ARROW_")} | given
        words = [sys.executable, "-c", asked]
        told = subprocess.run(words, capture_output=True, check=True, text=True, env=environment).stdout
        assert told.strip() == expected
