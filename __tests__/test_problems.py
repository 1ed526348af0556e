"""Problem documents as OpenAPI declares them."""

from cryptomarket.problems import MEDIA_TYPE, TITLES, Problem, problem_responses


def test_a_declared_problem_has_its_title_media_type_and_schema() -> None:
    """Promise: every error is a problem document (RFC 9457), and the document says so."""
    declared = problem_responses(401, 404)
    assert set(declared) == {401, 404}
    for status, response in declared.items():
        assert response["description"] == TITLES[int(status)]
        assert response["content"][MEDIA_TYPE]["schema"]["$ref"].endswith("/Problem")
        assert "headers" not in response


def test_who_is_to_come_back_is_told_when() -> None:
    """Promise: 429 and 503 carry Retry-After."""
    for response in problem_responses(429, 503).values():
        assert "Retry-After" in response["headers"]


def test_a_problem_has_the_members_of_the_contract() -> None:
    """Promise: type, title, status, detail, request_id, and errors where fields are wrong."""
    told = Problem(title="t", status=400, detail="d", request_id="r").model_dump(exclude_none=True)
    assert told == {"type": "about:blank", "title": "t", "status": 400, "detail": "d", "request_id": "r"}
