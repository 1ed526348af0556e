"""Standard output, to the last byte."""

import sys


def write_whole(text: str | bytes) -> None:
    """Writes all of it, also where Python doesn't buffer its output (PYTHONUNBUFFERED, as in containers).

    There `sys.stdout.buffer` is the file itself (docs.python.org/3/using/cmdline.html#cmdoption-u), which takes what
    one call of the system takes: less than all of it when a pipe is full and something interrupts the wait, and
    `sys.stdout.write` would let go of the rest without a word. Raises what the system raises.
    """
    out = sys.stdout
    left = memoryview(text.encode(out.encoding, out.errors or "strict") if isinstance(text, str) else text)
    while left:
        left = left[out.buffer.write(left) :]
