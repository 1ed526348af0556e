"""Makes the reference of what the code itself knows best: python -m scripts.make_reference [FOLDER]"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer.main
from typer.core import TyperGroup

from cryptomarket.cli import app
from cryptomarket.live.event_schemas import EVENTS
from cryptomarket.settings import env_example
from cryptomarket.terminal.endings import MEANINGS
from cryptomarket.terminal.examples import EXAMPLES
from scripts.make_postman import document

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
FIGURES = ("/api/v2/operation", "/api/v2/operation/gaps", "/ready", "/health")
MADE = "Made by `make reference`; change what it is made of instead.\n"

Json = Any  # the document is JSON of many shapes


def main(folder: Path = DOCS) -> int:
    """Writes every page. Returns the exit status."""
    for name, text in pages().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path)
    return 0


def pages() -> Mapping[str, str]:
    """The pages by their names within docs/."""
    told = document()
    return {
        "reference/README.md": index(),
        "reference/api.md": "".join(api(told)),
        "reference/events.md": "".join(events()),
        "reference/operation.md": "".join(figures(told)),
        "reference/settings.md": "".join(settings()),
        "reference/commands.md": "".join(commands()),
        "decisions/README.md": "".join(decisions()),
    }


def index() -> str:
    """What there is."""
    return (
        f"# Reference\n\n{MADE}\n"
        "- [api.md](api.md): every endpoint, its parameters and statuses. The whole document is at `/docs` and\n"
        "  `/openapi.json` of a running gateway.\n"
        "- [events.md](events.md): the events of the stream.\n"
        "- [operation.md](operation.md): the figures of a running gateway, field by field: what it does, and how\n"
        "  ready it is. They are its metrics; there is no `/metrics` yet.\n"
        "- [settings.md](settings.md): every setting, and its default.\n"
        "- [commands.md](commands.md): the command line.\n"
        "\nWritten by hand, as scripts within Redis make half of what it names, and held against a running Redis:\n"
        "\n- [../redis.md](../redis.md): every key in Redis, its type, life and bound.\n"
        "  [test_keys.py](../../__tests__/backplane/test_keys.py) uses everything, and looks for a key that is not in\n"
        "  it, lives longer, holds more; [test_scaled_jobs.py](../../__tests__/journeys/test_scaled_jobs.py) for one\n"
        "  of Celery's.\n"
    )


def api(told: Json) -> Iterator[str]:
    """Endpoints by their tags, as the document has them."""
    yield f"# Endpoints\n\n{MADE}"
    for tag in told["tags"]:
        mine = [
            (method.upper(), path, operation)
            for path, methods in told["paths"].items()
            for method, operation in methods.items()
            if operation["tags"][0] == tag["name"]
        ]
        if mine:
            yield f"\n## {tag['name']}\n\n{tag['description']}\n"
        for method, path, operation in mine:
            yield f"\n### `{method} {path}`\n\n{operation['summary']} (`{operation['operationId']}`).\n"
            yield f"Answers {', '.join(operation['responses'])}; for {_who(operation)}.\n"
            yield from _parameters(operation)


def _who(operation: Json) -> str:
    if not operation["security"] or operation["security"][-1] == {}:
        return "anybody"
    scopes = [scope for way in operation["security"] for scope in way.get("oauth2", [])]
    return f"the scope `{scopes[0]}`" if scopes else "whoever has a token"


def _parameters(operation: Json) -> Iterator[str]:
    rows = [each for each in operation["parameters"] if each["name"] != "X-Request-ID"]
    if rows:
        yield "\n| parameter | in | |\n|---|---|---|\n"
    for each in rows:
        needed = " **Required.**" if each.get("required") and each["in"] != "path" else ""
        yield f"| `{each['name']}` | {each['in']} | {_cell(each.get('description', ''))}{needed} |\n"


def events() -> Iterator[str]:
    """The events and their fields."""
    yield f"# Events of the stream\n\n{MADE}\nOf `GET /api/v2/sse/connection`; data are one line of JSON.\n"
    for name, model in EVENTS.items():
        yield f"\n## `{name}`\n\n{_cell(model.__doc__ or '')}\n\n| field | is | | for example |\n|---|---|---|---|\n"
        schema = model.model_json_schema()
        for field, told in schema["properties"].items():
            example = f"`{json.dumps(told['examples'][0], ensure_ascii=False)}`" if told.get("examples") else ""
            kind = _kind_of(told, schema.get("$defs", {}))
            yield f"| `{field}` | {kind} | {_cell(told.get('description', ''))} | {example} |\n"


def _kind_of(schema: Json, named: Json) -> str:
    """What a value is, in words: of an enumeration all values, of an object its fields."""
    if "$ref" in schema:
        return _kind_of(named[schema["$ref"].rpartition("/")[2]], named)
    if "anyOf" in schema:
        return " or ".join(_kind_of(each, named) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {_kind_of(schema['items'], named)}"
    if "additionalProperties" in schema:
        return f"object of {_kind_of(schema['additionalProperties'], named)} by name"
    if "properties" in schema:
        fields = "; ".join(f"`{name}`: {_kind_of(each, named)}" for name, each in schema["properties"].items())
        return f"({fields})"
    return str(schema["type"])


def figures(told: Json) -> Iterator[str]:
    """What tells how a running gateway is, field by field."""
    yield f"# Figures of a running gateway\n\n{MADE}"
    schemas = told["components"]["schemas"]
    for path in FIGURES:
        answer = told["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        schema = schemas[answer["$ref"].rpartition("/")[2]]
        yield f"\n## `GET {path}`\n\n{_cell(schema['description'])}\n\n"
        yield "| field | is | | for example |\n|---|---|---|---|\n"
        yield from _fields(schema, schemas)


def _fields(schema: Json, schemas: Json, within: str = "") -> Iterator[str]:
    """The rows of an object, those of the objects in it behind them."""
    for field, told in schema["properties"].items():
        inner = _object_in(told, schemas)
        example = f"`{json.dumps(told['examples'][0], ensure_ascii=False)}`" if told.get("examples") else ""
        kind = ("list of objects" if told.get("type") == "array" else "object") if inner else _kind_of(told, schemas)
        meaning = told.get("description") or (inner or {}).get("description", "")
        yield f"| `{within}{field}` | {kind} | {_cell(meaning)} | {example} |\n"
        if inner:
            yield from _fields(inner, schemas, f"{within}{field}.")


def _object_in(schema: Json, schemas: Json) -> Json | None:
    reference = schema.get("$ref") or schema.get("items", {}).get("$ref")
    named = schemas[reference.rpartition("/")[2]] if reference else {}
    return named if "properties" in named else None


def settings() -> Iterator[str]:
    """Every setting, as .env.example has it."""
    yield f"# Settings\n\n{MADE}\nEnvironment variables, or lines of `.env`.\n"
    yield "\n| setting | default | |\n|---|---|---|\n"
    meaning = ""
    for line in env_example().splitlines():
        name, found, default = line.removeprefix("# ").partition("=")
        if found and re.fullmatch(r"[A-Z0-9_]+", name):
            yield f"| `{name}` | {f'`{default}`' if default else ''} | {_cell(meaning)} |\n"
            meaning = ""
        elif line:
            meaning = line.removeprefix("# ")


def commands() -> Iterator[str]:
    """Every command with its options, examples and exit statuses."""
    yield f"# Commands\n\n{MADE}"
    yield "\n`cryptomarket --install-completion` completes them in bash, zsh, fish and PowerShell.\n"
    yield "\n| exit status of the commands that read a gateway | |\n|---|---|\n"
    for ending, meaning in MEANINGS.items():
        yield f"| {ending.value} | {meaning} |\n"
    group = typer.main.get_group(app)
    yield from _group(group, "cryptomarket")


def _group(group: TyperGroup, path: str) -> Iterator[str]:
    context = group.make_context(path, [], resilient_parsing=True)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, TyperGroup):
            yield from _group(command, f"{path} {name}")
            continue
        if command is None or command.hidden:
            continue
        yield f"\n## `{path} {name}`\n\n{_cell(command.help or '')}\n\n| option | |\n|---|---|\n"
        for parameter in command.params:
            if not getattr(parameter, "hidden", False) and parameter.name != "help":
                spelled = ", ".join(f"`{word}`" for word in parameter.opts)
                yield f"| {spelled} | {_cell(getattr(parameter, 'help', None) or '')} |\n"
        if path == "cryptomarket" and name in EXAMPLES:
            yield "\n" + "".join(f"    {example}\n" for example in EXAMPLES[name])


def decisions() -> Iterator[str]:
    """The decisions by their titles."""
    yield f"# Decisions\n\n{MADE}\nEach on a page: what was so, what was chosen, what it costs.\n\n"
    for path in sorted((DOCS / "decisions").glob("[0-9]*.md")):
        title = path.read_text().splitlines()[0].removeprefix("# ")
        yield f"- [{title}]({path.name})\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else DOCS))
