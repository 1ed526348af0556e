"""What OpenAPI says of the bodies is true of them."""

import jsonschema
import pytest

from cryptomarket.accounts.schemas import TOKEN_REQUEST_BODY, MeAnswer, RevokedAnswer, TokenAnswer


def test_the_examples_of_the_request_are_valid() -> None:
    """Whoever copies one sends what is accepted."""
    for content in TOKEN_REQUEST_BODY["requestBody"]["content"].values():
        for example in content["examples"].values():
            jsonschema.validate(example["value"], content["schema"])
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"grant_type": "password"}, content["schema"])


@pytest.mark.parametrize("model", [TokenAnswer, RevokedAnswer, MeAnswer])
def test_every_field_of_an_answer_has_an_example(model: type[TokenAnswer | RevokedAnswer | MeAnswer]) -> None:
    """A reader of the documentation sees values, not only types."""
    for name, field in model.model_json_schema()["properties"].items():
        assert "examples" in field or "const" in field, name
