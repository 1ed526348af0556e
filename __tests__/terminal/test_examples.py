"""The help teaches by commands that exist."""

import shlex

from typer.main import get_group

from cryptomarket.terminal.commands import app
from cryptomarket.terminal.endings import MEANINGS
from cryptomarket.terminal.examples import EXAMPLES, epilog_of


def test_every_example_can_be_parsed() -> None:
    """Promise: each example names an existing command with options that it has; every command has one, and statuses."""
    group = get_group(app)
    assert set(EXAMPLES) == set(group.commands)
    for name, examples in EXAMPLES.items():
        for example in examples:
            words = shlex.split(example, comments=True)
            stop = next((index for index, word in enumerate(words) if word in {"|", "&&"} or word[0] in "<>"), None)
            assert words[:2] == ["cryptomarket", name]
            command = group.commands[name]
            context = command.make_context(name, words[2:stop])
            assert context.params["url"]
        assert all(meaning in epilog_of(name) for meaning in MEANINGS.values())
