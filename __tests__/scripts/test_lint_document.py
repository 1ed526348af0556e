"""The OpenAPI document before other people's tools."""

import json

from scripts.lint_document import document, findings


def test_spectral_and_redocly_find_nothing() -> None:
    """Promise: not even a warning."""
    assert findings(document()) == []


def test_what_is_wrong_is_found() -> None:
    """Promise: both tools look, and each says what it does not like."""
    drawn = json.loads(document())
    drawn["paths"]["/health"]["get"].pop("summary")
    drawn["paths"]["/health"]["get"].pop("description", None)
    drawn["components"]["schemas"]["Forgotten"] = {"type": "string"}
    found = "\n".join(findings(json.dumps(drawn).encode()))
    assert "spectral:" in found
    assert "operation-description" in found
    assert "redocly:" in found
    assert "Forgotten" in found
