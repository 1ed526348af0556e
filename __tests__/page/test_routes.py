"""The pages as they are served: to anybody, packed, kept by browsers, and under a policy that stops all else."""

import gzip
import re
from collections.abc import AsyncIterator

import httpx2
import pytest

from cryptomarket.app import create_app
from cryptomarket.page.routes import FILES

PAGES = {"/": "live.html", "/operator": "operator.html"}
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody who is not known."""
    app = create_app({}, exchange="simulator", body_limit_bytes=1024)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://gateway") as talking:
        yield talking


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_for_anybody(client: httpx2.AsyncClient, path: str) -> None:
    """Promise: the page itself, which holds nothing, needs no name; every file that it names is served."""
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    named = re.findall(r"(?:src|href)=\"(page/[^\"]+)\"", answer.text)
    assert len(named) > 10
    for name in named:
        part = await client.get(f"/{name}")
        assert part.status_code == 200, name
        assert part.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert part.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_may_load_from_here_alone(client: httpx2.AsyncClient, path: str) -> None:
    """Promise: no script or style within the page, no other host, no frame, no form that leaves, no type guessed."""
    headers = (await client.get(path)).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {policy[kind] for kind in ("script-src", "style-src", "connect-src", "font-src", "img-src")} == {"'self'"}
    assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert not re.search(r"unsafe|http|\*", str(policy))
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("path", [*PAGES, f"/page/{FILES.version}/js/live.js"])
async def test_what_a_browser_has_is_not_sent_again(client: httpx2.AsyncClient, path: str) -> None:
    """Promise: by its tag, in each form; HEAD is GET without content."""
    packed = await client.get(path, headers={"Accept-Encoding": "br, gzip;q=0.8"})
    plain = await client.get(path, headers=PLAIN)
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) == len(plain.content)
    assert packed.headers["etag"] != plain.headers["etag"]
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    for has, how in ((packed, {"Accept-Encoding": "gzip"}), (plain, PLAIN)):
        again = await client.get(path, headers={**how, "If-None-Match": f'"other", W/{has.headers["etag"]}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", has.headers["etag"])
        assert again.headers["cache-control"] == has.headers["cache-control"]
        head = await client.head(path, headers=how)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == has.headers["content-length"]
    refusing = await client.get(path, headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in refusing.headers


async def test_a_file_of_another_version_is_not_kept(client: httpx2.AsyncClient) -> None:
    """Promise: while processes are replaced one by one, a page gets its files from any of them, and keeps none that is
    not of its version.
    """
    answer = await client.get("/page/0123456789ab/css/base.css", headers=PLAIN)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    assert answer.content == FILES.assets["css/base.css"].content
    packed = FILES.assets["css/base.css"].packed
    assert packed is not None
    assert gzip.decompress(packed) == answer.content


@pytest.mark.parametrize(
    "name", ["nothing.js", "routes.py", "../routes.py", "..%2f__init__.py", "live.html", "js", "", "vendor/"]
)
async def test_no_other_file_is_served(client: httpx2.AsyncClient, name: str) -> None:
    """Promise: the files of the pages, and nothing else of the disk."""
    answer = await client.get(f"/page/{FILES.version}/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_document_does_not_name_the_pages(client: httpx2.AsyncClient) -> None:
    """Promise: the document is about the API; pages are for people."""
    assert not [path for path in (await client.get("/openapi.json")).json()["paths"] if path in PAGES or "page" in path]
