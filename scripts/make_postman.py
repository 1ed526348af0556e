"""Makes the Postman collection and its environment of the OpenAPI document: python -m scripts.make_postman [FOLDER]"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cryptomarket.app import create_app
from scripts.postman.collection import collection_of, environment

ROOT = Path(__file__).resolve().parent.parent
CONVERTER = ROOT / "node_modules" / ".bin" / "openapi2postmanv2"
COLLECTION = "CryptoMarket.postman_collection.json"
ENVIRONMENT = "CryptoMarket.simulator.postman_environment.json"

Json = Any  # the document is JSON of many shapes


def document() -> Json:
    """The OpenAPI document, of which no server is needed."""
    return create_app({}, exchange="simulator", body_limit_bytes=65_536).openapi()


def converted(told: Json) -> Json:
    """What npm's openapi-to-postmanv2 makes of a document."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "openapi.json", Path(folder) / "collection.json"
        source.write_text(json.dumps(told))
        subprocess.run(
            [CONVERTER, "--spec", source, "--output", target, "--options", "folderStrategy=Tags"],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        return json.loads(target.read_text())


def main(folder: Path = ROOT) -> int:
    """Writes both files. Returns the exit status."""
    told = document()
    for name, content in ((COLLECTION, collection_of(converted(told), told)), (ENVIRONMENT, environment())):
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        print(folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else ROOT))
