"""Who is written what, and in how many writes."""

from uvicorn.protocols.http.flow_control import FlowControl

from __tests__.live.pipe import Pipe
from cryptomarket.live.fanout import Fanout
from cryptomarket.live.transport import Line


def pipe() -> Pipe:
    return Pipe(lambda: None)


def test_whoever_wants_the_same_gets_the_same_bytes() -> None:
    """One frame for all of them; who does not want the ticker is not written to."""
    fanout, both, one, other = Fanout(), pipe(), pipe(), pipe()
    fanout.join("both", both.line, ["a", "b"], 0.0)
    fanout.join("one", one.line, ["a"], 0.0)
    fanout.join("other", other.line, ["c"], 0.0)
    fanout.offer("a", b"data: 1\n\n")
    fanout.offer("b", b"data: 2\n\n")
    fanout.flush(1.0)
    assert both.take() == [b"data: 1\n\ndata: 2\n\n"], "what waited leaves in one write"
    assert one.take() == [b"data: 1\n\n"]
    assert other.take() == []
    assert [fanout.told_s(who) for who in ("both", "one", "other")] == [1.0, 1.0, 0.0]


def test_a_newcomer_hears_nothing_of_what_waited() -> None:
    """It was told him before, by his opening."""
    fanout, early, late = Fanout(), pipe(), pipe()
    fanout.join("early", early.line, ["a"], 0.0)
    fanout.offer("a", b"data: 1\n\n")
    fanout.join("late", late.line, ["a"], 0.0)
    fanout.offer("a", b"data: 2\n\n")
    fanout.flush(0.0)
    assert b"".join(early.take()) == b"data: 1\n\ndata: 2\n\n"
    assert late.take() == [b"data: 2\n\n"]


def test_who_leaves_hears_what_waited_and_no_more() -> None:
    """Nothing that was published before is lost on the way out, and nothing of his stays behind."""
    fanout, leaver = Fanout(), pipe()
    fanout.join("leaver", leaver.line, ["a"], 0.0)
    fanout.offer("a", b"data: 1\n\n")
    assert fanout.part("leaver", 0.0).events == 1
    assert leaver.take() == [b"data: 1\n\n"]
    fanout.offer("a", b"data: 2\n\n")
    fanout.flush(0.0)
    assert leaver.take() == []
    assert not fanout.wants("a")
    assert fanout.part("leaver", 0.0).events == 0


class Closed(Pipe):
    """A transport of uvloop that was closed, and whose protocol was not told yet."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        raise RuntimeError("unable to perform operation on a closed transport; the handler is closed")


def test_one_that_has_just_closed_keeps_nothing_from_the_others() -> None:
    """Promise: whoever breaks off in the middle of a turn costs nobody else an event."""
    fanout, before, closed, after, late = Fanout(), pipe(), Closed(lambda: None), pipe(), pipe()
    for name, each in (("before", before), ("closed", closed), ("after", after)):
        fanout.join(name, each.line, ["a"], 0.0)
    fanout.join("other", late.line, ["a", "b"], 0.0)
    fanout.offer("a", b"data: 1\n\n")
    fanout.flush(0.0)
    fanout.offer("a", b"data: 2\n\n")
    fanout.flush(0.0)
    for each in (before, after, late):
        assert b"".join(each.take()) == b"data: 1\n\ndata: 2\n\n"
    for name in ("closed", "before", "after", "other"):
        fanout.part(name, 0.0)
    assert not fanout.wants("a")


def test_a_line_is_written_from_its_own_transport() -> None:
    """A line is the transport's write and nothing between."""
    own = pipe()
    line = Line(own, FlowControl(own))
    line.write(b"5\r\nhello\r\n")
    assert own.take() == [b"hello"]
    assert line.buffered_bytes == 0
