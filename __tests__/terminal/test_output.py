"""What a command says arrives whole."""

import os
import subprocess
import sys

import pytest

from cryptomarket.terminal.output import write_whole

# Once the pipe is full, a tick of the timer ends a call that has written a part.
INTERRUPTED = """
import os, signal
from cryptomarket.terminal.output import write_whole
signal.signal(signal.SIGALRM, lambda *_: os.write(2, b'.'))
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
write_whole("0123456789" * 100_000)
write_whole(b"the end")
signal.setitimer(signal.ITIMER_REAL, 0)
"""


@pytest.mark.parametrize("unbuffered", ["1", ""], ids=["unbuffered", "buffered"])
def test_nothing_is_lost_where_writing_is_interrupted(unbuffered: str) -> None:
    """Promise: all of a long text goes into a pipe that is full again and again, whether Python buffers or not."""
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    words = [sys.executable, "-c", INTERRUPTED]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.read(3) == b"..."
        said = process.stdout.read()
    assert (process.returncode, said) == (0, b"0123456789" * 100_000 + b"the end")


def test_it_is_written_as_the_output_is_encoded(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Promise: text is in the output's own encoding, bytes are as they are."""
    write_whole("─é")
    write_whole(b"\xff")
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == "─é".encode(sys.stdout.encoding) + b"\xff"
