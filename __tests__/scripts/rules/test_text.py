"""What must not be written in any file. The bad words are put together here, so that this file keeps the rules."""

from pathlib import PurePosixPath

import pytest

from scripts.rules.source import Source
from scripts.rules.text import TEXT_RULES

BAD = [
    ("unfinished", "cryptomarket/x.py", "# TO" + "DO: later"),
    ("unfinished", "Makefile", "# FIX" + "ME"),
    ("unfinished", "docs/x.md", "HA" + "CK: works"),
    ("unfinished", "cryptomarket/x.py", "raise NotImplemented" + "Error"),
    ("registry-address", "docs/x.md", "https" + "://pyp" + "i.org/simple"),
    ("registry-address", "package-lock.json", '"resolved": "https' + "://regis" + 'try.example/x.tgz"'),
    ("registry-address", "Dockerfile", "http" + "://deb.deb" + "ian.org/"),
    ("machine-path", "docs/x.md", "see /wor" + "k/main"),
    ("machine-path", "scripts/x.py", "'/roo" + "t/.cache'"),
    ("machine-path", "scripts/x.py", "'/home" + "/alice/x'"),
    ("requirement-address", "requirements/run.txt", "x @ https" + "://example.org/x.whl"),
    ("requirement-address", "requirements/run.txt", "--find-links file" + ":///opt/wheels"),
]

GOOD = [
    ("cryptomarket/x.py", "return NotImplemented  # the other operand may know"),
    ("cryptomarket/x.py", "GET /workers/tasks and /api/roots"),
    ("README.md", "https://docs.deribit.com/articles/rate-limits"),
    ("Dockerfile", "WORKDIR /srv/cryptomarket"),
    ("nginx/nginx.conf", "root /usr/share/nginx/html;"),
    ("requirements/run.txt", "httpx==1.0 \\\n    --hash=sha256:00\n    # via httpcore"),
    ("__tests__/data/deribit/x.json", '{"note": "TO' + 'DO"}'),
]


def broken(path: str, text: str) -> set[str]:
    source = Source(PurePosixPath(path), text)
    return {finding.rule for rule in TEXT_RULES for finding in rule(source)}


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_breach_is_noticed(rule: str, path: str, text: str) -> None:
    """Guards against addresses, paths and unfinished words that slip into what everybody gets."""
    assert broken(path, text) == {rule}


@pytest.mark.parametrize(("path", "text"), GOOD)
def test_good_text_is_left_alone(path: str, text: str) -> None:
    """Guards against a rule that is set off by words that only look alike."""
    assert broken(path, text) == set()
