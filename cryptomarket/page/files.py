"""The files of the pages, read once: each with its type, its tag, and a packed form where that is smaller."""

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
# Packed already.
_DENSE = frozenset({".woff2"})
_TAG_CHARACTERS = 24
_VERSION_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file as it is served. `packed` is the same by gzip (RFC 1952), or None where that saves nothing."""

    content: bytes
    packed: bytes | None
    media_type: str
    tag: str

    @classmethod
    def of(cls, content: bytes, suffix: str) -> "PageFile":
        """A file of this content, whose type its suffix tells. Raises KeyError for a suffix that no page has."""
        # Without a time, so that every process packs the same bytes.
        packed = None if suffix in _DENSE else gzip.compress(content, 9, mtime=0)
        if packed is not None and len(packed) >= len(content):
            packed = None
        return cls(content, packed, TYPES[suffix], sha256(content).hexdigest()[:_TAG_CHARACTERS])


def folder() -> Path:
    """Where the installed package keeps them: beside this module."""
    return Path(str(files("cryptomarket.page")))


def _named(root: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix in TYPES:
            yield path.relative_to(root).as_posix(), path.read_bytes()


@dataclass(frozen=True, slots=True)
class PageFiles:
    """All files of the pages. `version` changes whenever one of them does; it is part of their addresses, so that a
    browser may keep them for ever.
    """

    version: str
    pages: Mapping[str, PageFile]
    assets: Mapping[str, PageFile]


def read_files(root: Path) -> PageFiles:
    """Reads the folder: its `*.html` are the pages, in which `@version@` and `@modules@` are filled in; the rest is
    what they load, by path below the folder. A page's modules are told ahead, so that they come at once instead of one
    after another.
    """
    found = dict(_named(root))
    digest = sha256()
    for name, content in found.items():
        digest.update(b"%s\0%d\0" % (name.encode(), len(content)))
        digest.update(content)
    version = digest.hexdigest()[:_VERSION_CHARACTERS]
    pages, assets = dict[str, PageFile](), dict[str, PageFile]()
    for name, content in found.items():
        suffix = f".{name.rpartition('.')[2]}"
        if suffix == ".html":
            text = content.decode().replace("@modules@", "\n".join(_ahead(content.decode(), found)))
            pages[name] = PageFile.of(text.replace("@version@", version).encode(), suffix)
        else:
            assets[name] = PageFile.of(content, suffix)
    return PageFiles(version, pages, assets)


def _ahead(page: str, found: Mapping[str, bytes]) -> Iterator[str]:
    """A line for each module that the page's own one imports, whatever the way."""
    _, _, rest = page.partition('<script type="module" src="page/@version@/')
    waiting, seen = [rest.partition('"')[0]], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in found:
            continue
        seen.add(name)
        waiting += _imported(name, found[name].decode())
    for name in sorted(seen):
        yield f'<link rel="modulepreload" href="page/@version@/{name}">'


def _imported(name: str, text: str) -> Iterator[str]:
    """What the import lines at the head of a module name, as paths below the folder."""
    for line in text.splitlines():
        before, said, after = line.partition(' from "')
        if said and before.startswith(("import ", "export ", "}")):
            parts = name.split("/")[:-1]
            for step in after.partition('"')[0].split("/"):
                if step == "..":
                    parts.pop()
                elif step != ".":
                    parts.append(step)
            yield "/".join(parts)
