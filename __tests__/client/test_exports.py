"""A file that is there is whole; one that is not whole is not there under its name."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from __tests__.client.gateways import Answering, Scripted, says
from cryptomarket.client.answers import Export
from cryptomarket.client.exports import BrokenDownload, ExportFormat, is_whole


def facts(form: str, told: bytes, state: str = "done") -> Export:
    """What a gateway would say of these bytes."""
    return Export(
        request_id="r", ticker="x", format=form, start_ms=0, end_ms=1, state=state, rows=1,
        sha256=hashlib.sha256(told).hexdigest(), complete=True,
    )  # fmt: skip


def written(form: ExportFormat) -> tuple[bytes, bytes]:
    """A file of a format, and what of it comes before the trailer."""
    if form is ExportFormat.CSV:
        return (told := b"timestamp,price\r\n1,2\r\n"), told
    if form is ExportFormat.NDJSON:
        return (told := b'{"price":1}\n{"price":2}\n') + b'{"trailer":{"rows":2}}\n', told
    table = pa.table({"price": list(range(50_000))})
    into = pa.BufferOutputStream()
    if form is ExportFormat.ARROW:
        with pa.ipc.new_stream(into, table.schema) as stream:
            stream.write_table(table)
            before = into.tell()
            stream.write_batch(pa.RecordBatch.from_pylist([], schema=table.schema), custom_metadata={"trailer": "{}"})
        whole: bytes = into.getvalue().to_pybytes()
        return whole, whole[:before]
    with pq.ParquetWriter(into, table.schema) as writer:
        writer.write_table(table)
        before = into.tell()
        writer.add_key_value_metadata({"trailer": "{}"})
    whole = into.getvalue().to_pybytes()
    return whole, whole[:before]


@pytest.mark.parametrize("form", ExportFormat)
def test_the_digest_finds_every_trailer(form: ExportFormat, tmp_path: Path) -> None:
    """Promise: of each format exactly the bytes before the trailer are compared; one changed byte is seen."""
    whole, told = written(form)
    path = tmp_path / "x"
    path.write_bytes(whole)
    assert is_whole(path, facts(form, told))
    path.write_bytes(whole[:5] + bytes([whole[5] ^ 1]) + whole[6:])
    assert not is_whole(path, facts(form, told))
    path.write_bytes(b"")
    assert not is_whole(path, facts(form, told))


def answering(body: bytes, *, breaks: bool = False) -> Answering:
    """A gateway's export."""

    async def pieces() -> AsyncIterator[bytes]:
        yield body
        if breaks:
            raise httpx2.RemoteProtocolError("peer closed connection without sending complete message body")

    return lambda request: httpx2.Response(200, content=pieces(), headers={"x-request-id": "r-7"})


def told(digest_of: bytes, state: str = "done") -> Answering:
    """What the gateway says of it afterwards."""
    digest = hashlib.sha256(digest_of).hexdigest()
    return says(
        200,
        f'{{"request_id":"r-7","ticker":"x","format":"csv","start":0,"end":1,"state":"{state}","rows":1,'
        f'"sha256":"{digest}","complete":false}}',
    )


async def test_a_file_takes_its_name_when_it_is_proven(tmp_path: Path) -> None:
    """Promise: the facts are asked for by the request's id, and what they say is given back."""
    gateway = Scripted([answering(b"a\r\n1\r\n"), told(b"a\r\n1\r\n")])
    done = await gateway.client().export("x", tmp_path / "x.csv", 1, 2, fields=["price", "seq"])
    assert (tmp_path / "x.csv").read_bytes() == b"a\r\n1\r\n"
    assert (done.rows, done.complete) == (1, False)
    assert dict(gateway.asked[0].url.params) == {"format": "csv", "fields": "price,seq", "start": "1", "end": "2"}
    assert gateway.asked[1].url.path == "/api/v2/exports/r-7"
    assert not (tmp_path / "x.csv.part").exists()


@pytest.mark.parametrize(
    "script",
    [[answering(b"a", breaks=True)], [answering(b"a"), told(b"b")], [answering(b"a"), told(b"a", "failed")]],
    ids=["cut", "changed", "failed"],
)
async def test_what_is_not_whole_has_no_name(script: list[Answering], tmp_path: Path) -> None:
    """Promise: a cut, changed or failed export is an error, and an older file of that name stays."""
    (tmp_path / "x.csv").write_bytes(b"older")
    with pytest.raises(BrokenDownload):
        await Scripted(script).client().export("x", tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_bytes() == b"older"
    assert (tmp_path / "x.csv.part").read_bytes() == b"a"


async def test_a_name_says_the_format_or_nothing_is_asked(tmp_path: Path) -> None:
    """Promise: no format is guessed; who names none is told which there are."""
    gateway = Scripted([says(200)])
    for name, form in (("x.txt", None), ("x", None), ("x.csv", "xml")):
        with pytest.raises(ValueError, match=r"there are \.ndjson, \.csv, \.parquet, \.arrow\.") as refused:
            await gateway.client().export("x", tmp_path / name, form=form)
        assert repr(form or name) in str(refused.value)
    assert gateway.asked == []


async def test_where_no_file_can_be_nothing_is_asked(tmp_path: Path) -> None:
    """Promise: a folder of that name, or none to be in, is told before anything is sent, in a sentence; nothing is left
    behind.
    """
    (tmp_path / "a.csv").mkdir()
    gateway = Scripted([says(200)])
    with pytest.raises(IsADirectoryError, match=r"^\S+a\.csv is a folder: name a file\.$"):
        await gateway.client().export("x", tmp_path / "a.csv")
    with pytest.raises(FileNotFoundError, match=r"^There is no folder \S+none to write b\.csv into\.$"):
        await gateway.client().export("x", tmp_path / "none" / "b.csv")
    assert gateway.asked == []
    assert not (tmp_path / "a.csv.part").exists()
