"""Every link of our pages leads somewhere."""

import re
import subprocess
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# A link, and the one that a picture in its text would hide: [![text](picture)](page).
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)(?:[^\[\]]*\]\(([^)\s]+)\))?")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def tracked_pages() -> list[str]:
    """The pages that git knows, or would commit."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists() and "/data/" not in name]


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings: lower case, without punctuation, blanks as dashes."""
    headings = HEADING.findall(re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """The relative links of a page that lead nowhere."""
    found = []
    for link in filter(None, chain.from_iterable(LINK.findall(CODE.sub("", page.read_text())))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("name", tracked_pages())
def test_every_link_leads_somewhere(name: str) -> None:
    """Promise: no relative link, and no anchor, of any page is dead."""
    assert broken(ROOT / name) == []


def test_a_dead_link_is_seen(tmp_path: Path) -> None:
    """Guards this test itself."""
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# A `title`, here\n\n```\n# none\n```\n")
    page.write_text(
        "[a](other.md#a-title-here) [b](other.md#none) [c](gone.md) [d](#own) `[e](code.md)` [f](https://x.test)"
        "\n\n[![g](page.md)](lost.md) [![h](no.png)](page.md) [![i](page.md) words](far.md) ![j](page.md) (k.md)"
        "\n\n## Own\n"
    )
    assert broken(page) == ["other.md#none", "gone.md", "lost.md", "no.png", "far.md"]
