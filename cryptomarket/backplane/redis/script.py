"""Scripts: what happens in one step at the server."""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent / "lua"

# What a script may stand on, each part on those before it.
WORDS = ("words",)
LOG = ("words", "log")
ORDER = ("words", "log", "order")
PUBLISHING = ("words", "log", "order", "ticker", "append")


class Script:
    """A script of the folder `lua`, after the parts that it stands on. It runs in whole or not at all."""

    def __init__(self, name: str, parts: tuple[str, ...] = WORDS) -> None:
        self.text = "\n".join((FOLDER / f"{part}.lua").read_text(encoding="utf-8") for part in (*parts, name))
        # Redis names scripts by this digest; nothing is protected by it.
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
