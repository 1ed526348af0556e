"""Problem documents as OpenAPI declares them."""

import pytest

from cryptomarket.problems import MEDIA_TYPE, TITLES, Problem, example_of, problem_responses


def test_a_declared_problem_has_its_title_media_type_and_schema() -> None:
    """Promise: every error is a problem document (RFC 9457), and the document says so."""
    declared = problem_responses(401, 404)
    assert set(declared) == {401, 404}
    for status, response in declared.items():
        assert response["description"] == TITLES[int(status)]
        assert response["content"][MEDIA_TYPE]["schema"]["$ref"].endswith("/Problem")
        assert ("WWW-Authenticate" in response.get("headers", {})) == (status == 401)


@pytest.mark.parametrize("status", sorted(TITLES))
def test_each_status_is_shown_by_a_problem_of_its_own(status: int) -> None:
    """Promise: an example has the status it is shown under, is a problem, and no two statuses share one."""
    shown = problem_responses(status)[status]["content"][MEDIA_TYPE]["example"]
    assert Problem.model_validate(shown).status == status
    assert shown["detail"] not in {example_of(other)["detail"] for other in TITLES if other != status}


def test_a_route_may_show_its_own() -> None:
    """Promise: where a route's refusal says more than the usual one, the document shows that."""
    own = ("Forbidden", "This needs a token with the scope operator.", "scope")
    shown = problem_responses(403, 404, shown={403: own})
    told = shown[403]["content"][MEDIA_TYPE]["example"]
    assert (told["title"], told["detail"], told["errors"][0]["field"]) == own
    assert shown[404]["content"][MEDIA_TYPE]["example"] == example_of(404)


def test_who_is_to_come_back_is_told_when() -> None:
    """Promise: 429 and 503 carry Retry-After."""
    for response in problem_responses(429, 503).values():
        assert "Retry-After" in response["headers"]


def test_a_problem_has_the_members_of_the_contract() -> None:
    """Promise: type, title, status, detail, request_id, and errors where fields are wrong."""
    told = Problem(title="t", status=400, detail="d", request_id="r").model_dump(exclude_none=True)
    assert told == {"type": "about:blank", "title": "t", "status": 400, "detail": "d", "request_id": "r"}
