"""What the rules read is what git would commit, and nothing else."""

import subprocess
from pathlib import Path, PurePosixPath

from scripts.rules.source import Source, dotted, imported_modules, read_project


def test_the_project_is_what_git_would_commit(tmp_path: Path) -> None:
    """Guards against rules that miss a new file, or judge what is ignored, deleted or binary."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    (tmp_path / "new.py").write_text("x = 1\n")
    (tmp_path / "ignored.py").write_text("x = 1\n")
    (tmp_path / "gone.py").write_text("x = 1\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    subprocess.run(["git", "-C", str(tmp_path), "add", "gone.py"], check=True)
    (tmp_path / "gone.py").unlink()
    assert [str(source.path) for source in read_project(tmp_path)] == [".gitignore", "new.py"]


def test_imports_are_read_with_their_full_names() -> None:
    """Guards the directions: `from package import module` must not hide which module it is."""
    source = Source(PurePosixPath("x.py"), "import a.b\nfrom c import d, e\n")
    assert imported_modules(source) == [(1, "a.b"), (2, "c.d"), (2, "c.e")]


def test_a_dotted_name_looks_through_type_arguments() -> None:
    """Guards against `asyncio.Queue[int]()` passing as something else than a queue."""
    node = Source(PurePosixPath("x.py"), "asyncio.Queue[int]").tree.body[0]
    assert dotted(node.value) == "asyncio.Queue"  # type: ignore[attr-defined]


def test_a_remark_needs_words() -> None:
    """Guards against a mark that silences a rule without a reason."""
    source = Source(PurePosixPath("x.py"), "a()  # bound:\nb()  # bound: ten\n# bound: ten\nc()\n")
    assert [source.remark(line, "bound") for line in (1, 2, 4)] == [False, True, True]
