"""The files of the pages: read as they are, told ahead, and named anew when one of them changes."""

import gzip
import json
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

from cryptomarket.page.files import PageFile, folder, read_files

PAGES = ("live.html", "operator.html")
MODULES = sorted(folder().glob("js/**/*.js"))
LANGUAGES = ("en", "ru")
MOST_LINES = 300


def strings(language: str) -> dict[str, str | dict[str, str]]:
    """What the page says in a language, as a browser would read it."""
    script = f"import {{ strings }} from {json.dumps(str(folder() / 'js/strings' / f'{language}.js'))};"
    done = subprocess.run(
        ["node", "--input-type=module", "--eval", f"{script} console.log(JSON.stringify(strings))"],
        capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    said: dict[str, str | dict[str, str]] = json.loads(done.stdout)
    return said


def places(entry: str | dict[str, str]) -> set[str]:
    """What is filled into a sentence, in whatever plural form."""
    return set(re.findall(r"\{(\w+)\}", entry if isinstance(entry, str) else " ".join(entry.values())))


def write(root: Path, files: dict[str, str]) -> None:
    """A folder of pages."""
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_text(text)


SMALL = {
    "page.html": '@modules@\n<script type="module" src="page/@version@/js/first.js"></script>',
    "js/first.js": 'import { two } from "./second.js";\nimport {\n  more,\n} from "../vendor/others.js";\n',
    "js/second.js": 'import { first } from "./first.js"; // each the other\n',
    "js/lonely.js": "export const nothing = null;\n",
    "vendor/others.js": "export const more = 1;\n",
    "module.py": "not = 'of the pages'\n",
}


def test_a_page_tells_its_modules_ahead(tmp_path: Path) -> None:
    """Promise: every module that a page needs is named in it once, and no other, so that all come at once."""
    write(tmp_path, SMALL)
    found = read_files(tmp_path)
    assert found.pages.keys() == {"page.html"}
    assert found.assets.keys() == SMALL.keys() - {"page.html", "module.py"}
    told = re.findall(r'modulepreload" href="page/(\w+)/([^"]+)"', found.pages["page.html"].content.decode())
    assert told == [(found.version, name) for name in ("js/first.js", "js/second.js", "vendor/others.js")]


@pytest.mark.parametrize("name", [name for name in SMALL if name != "module.py"])
def test_the_version_follows_every_file(tmp_path: Path, name: str) -> None:
    """Promise: a browser that keeps a file for ever never shows an older one beside a newer one."""
    write(tmp_path, SMALL)
    before = read_files(tmp_path)
    assert read_files(tmp_path) == before
    write(tmp_path, {name: SMALL[name] + " "})
    assert read_files(tmp_path).version != before.version


def test_a_file_is_packed_where_that_saves() -> None:
    """Promise: text leaves packed, and unpacks to itself; what is dense or tiny leaves as it is."""
    text = PageFile.of(b"a word, " * 100, ".js")
    assert text.packed is not None
    assert gzip.decompress(text.packed) == text.content
    assert PageFile.of(b"a word, " * 100, ".woff2").packed is None
    assert PageFile.of(b"a", ".css").packed is None


def test_what_others_wrote_is_named() -> None:
    """Promise: each file of others is named in the notice with its hash, version and licence, which lies beside it."""
    notice = (folder() / "NOTICE.txt").read_text()
    vendored = [path for path in (folder() / "vendor").iterdir() if not path.name.endswith("LICENSE.txt")]
    assert len(vendored) == 3
    for path in vendored:
        assert f"vendor/{path.name}" in notice
        assert sha256(path.read_bytes()).hexdigest() in notice
    licences = re.findall(r"vendor/\S+LICENSE\.txt", notice)
    assert len(licences) == 2
    assert all((folder() / name).stat().st_size > 1000 for name in licences)
    assert "v5.2.1" in (folder() / "vendor/lightweight-charts.js").read_text()[:200]
    assert "https://www.tradingview.com/" in (folder() / "live.html").read_text()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_can_be_read(path: Path, tmp_path: Path) -> None:
    """Promise: every script of the pages is one that a machine can read, and short enough for a person."""
    copy = tmp_path / f"{path.stem}{'.cjs' if path.name == 'early.js' else '.mjs'}"
    copy.write_text(path.read_text())
    done = subprocess.run(["node", "--check", str(copy)], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    assert "strings" in path.parts or len(path.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_holds_no_script_and_no_style(name: str) -> None:
    """Promise: the policy of the page stops nothing of its own."""
    text = (folder() / name).read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script>|<script [^>]*>[^<]", text)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//(?!www\.tradingview\.com/)", text)
    named = re.findall(r"page/@version@/([^\"]+)", text)
    assert len(named) >= 5
    assert all((folder() / each).is_file() for each in named)


def test_both_languages_say_the_same() -> None:
    """Promise: every sentence is there in both, with the same places to fill, and all plural forms of the language."""
    english, russian = (strings(language) for language in LANGUAGES)
    assert english.keys() == russian.keys()
    for name, entry in english.items():
        assert places(entry) == places(russian[name]), name
        assert isinstance(entry, str) == isinstance(russian[name], str), name
        if not isinstance(entry, str):
            assert entry.keys() == {"one", "other"}, name
            forms = russian[name]
            assert isinstance(forms, dict)
            assert forms.keys() == {"one", "few", "many", "other"}, name


def test_every_sentence_that_is_asked_for_is_there() -> None:
    """Promise: nothing on the pages shows the name of a sentence in its place, and no sentence waits for nobody."""
    said = set(strings("en"))
    texts = [path.read_text() for path in MODULES if "strings" not in path.parts]
    pages = "".join((folder() / name).read_text() for name in PAGES)
    asked = set(re.findall(r"data-(?:say|label|placeholder|tip)=\"(\w+)\"", pages))
    for text in texts:
        asked |= set(re.findall(r"\bsay\(\s*\"(\w+)\"", text))
    assert asked <= said, asked - said
    families = {family for text in texts for family in re.findall(r"say\(`(\w+_)\$\{", text)}
    everything = pages + "".join(texts)
    waiting = {
        name
        for name in said - asked
        if not any(name.startswith(family) for family in families) and not re.search(rf"\"{name}\"", everything)
    }
    assert not waiting - {"open", "high", "low", "open_short", "high_short", "low_short", "close_short"}


def test_the_package_carries_the_pages(tmp_path: Path) -> None:
    """Promise: an installed gateway has every file of its pages, licences included."""
    root = Path(__file__).resolve().parents[2]
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=root, check=True, capture_output=True, timeout=60)
    [wheel] = tmp_path.glob("*.whl")
    with ZipFile(wheel) as packed:
        names = {name.removeprefix("cryptomarket/page/") for name in packed.namelist()}
    found = read_files(folder())
    assert names >= {*found.pages, *found.assets}
