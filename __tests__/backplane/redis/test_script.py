"""Scripts."""

import re

from cryptomarket.backplane.redis.script import FOLDER, PUBLISHING, Script

# Commands and options that came after 6.2 (redis.io/docs/latest/commands, "Available since").
LATER = re.compile(r"'(LMPOP|ZMPOP|EXPIRETIME|SINTERCARD|FUNCTION|FCALL|EVAL_RO|LCS|HEXPIRE|XACKDEL|XDELEX)'")


def test_parts_come_before_what_stands_on_them() -> None:
    """Promise: a script is one text, in order, and is named by its digest."""
    publish = Script("publish", PUBLISHING)
    places = [
        publish.text.index(word) for word in ("local prefix", "function log_of", "function order", "function renew")
    ]
    assert places == sorted(places)
    assert re.fullmatch("[0-9a-f]{40}", publish.sha)
    assert publish.sha != Script("publish_change", PUBLISHING).sha


def test_only_what_redis_6_2_knows() -> None:
    """Promise: 6.2 is enough."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.lua")}
    assert len(texts) > 10
    assert [name for name, text in texts.items() if LATER.search(text)] == []
