"""The document and the gateway as somebody else's tool finds them: schemathesis asks whatever the document allows."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from __tests__.journeys.gateway import gateway

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "3")
"""What is drawn for each operation, besides the bounds of all that it takes; hundreds in the long form."""
# A stream ends by itself, so that nobody waits for it. OpenAPI 3.1 has a body's schema, and the tool looks for an
# event's: readers of other journeys hold each event against the document. The token that all are asked with outlives
# them, and its user is the one whose sets are asked for.
WORDS = """
[checks]
enabled = false
not_a_server_error.enabled = true
status_code_conformance.enabled = true
content_type_conformance.enabled = true
response_headers_conformance.enabled = true
response_schema_conformance.enabled = true

[[operations]]
include-operation-id = "open_stream"
parameters = {{ "query.lifetime" = 1 }}
checks.response_schema_conformance.enabled = false

[parameters]
"path.user_id" = "{user_id}"

[[operations]]
include-operation-id = "revoke_token"
enabled = false
"""
OF_OPERATORS = "^/(workers|api/v2/operation)"


@pytest.mark.parametrize("who", ["person", "operator"])
async def test_no_answer_surprises_schemathesis(tmp_path: Path, who: str) -> None:
    """Promise: of every operation, asked as the document has it and as it has it not, by those who may: no error of
    ours, and no status, media type, header or body that was not declared.
    """
    unlimited = dict.fromkeys(("login_failures_per_address", "login_failures", "public_prices_per_minute"), "1000000")
    async with gateway(tmp_path, **unlimited) as gate:
        token, user_id = await gate.login()
        token = token if who == "person" else await gate.operator()
        words = tmp_path / "schemathesis.toml"
        words.write_text(WORDS.format(user_id=user_id))
        asking = await asyncio.create_subprocess_exec(
            SCHEMATHESIS, "--config-file", words, "run", f"{gate.url}/openapi.json", "--header",
            f"Authorization: Bearer {token}", "--exclude-path-regex" if who == "person" else "--include-path-regex",
            OF_OPERATORS, "--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES,
            "--mode", "all", "--generation-database", "none", "--continue-on-failure", "--request-timeout", "20",
            "--no-color",
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            told, _ = await asking.communicate()
        finally:
            if asking.returncode is None:
                asking.kill()
    assert asking.returncode == 0, told.decode()[-6000:]
