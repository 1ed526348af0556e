"""Rules about what Python code says, read from its syntax tree."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

from scripts.rules.source import Finding, Source, dotted, imported_modules, is_function

# The three doors at which anything may arrive; each re-raises or records with traceback. One handler each.
BROAD_DOORS = {
    "cryptomarket/deribit/session.py": "the session pump: whatever a frame does, the loss of the socket is reported",
    "cryptomarket/jobs/runner.py": "the job runner: what a job or its record raises is told with its traceback",
    "cryptomarket/app.py": "the HTTP edge: the asker gets a problem without internals, the log gets the traceback",
}
BROAD_NAMES = {"Exception", "BaseException"}

SQL_WORDS = {"text", "select", "insert", "update", "delete", "union", "union_all", "literal_column"}
SQL_PLACES = re.compile(
    r"(^|/)(\w+_)?(repository|tables)\.py$|^cryptomarket/db\.py$|^alembic/|^cryptomarket/history/writer\.py$"
)
SQL_EXECUTORS = {
    "execute",
    "executemany",
    "exec_driver_sql",
    "scalar",
    "scalars",
    "stream",
    "fetch",
    "fetchrow",
    "fetchval",
}
SQL_TEXT = re.compile(r"\s*(select|insert|update|delete|create|alter|drop|copy|with|vacuum)\s", re.IGNORECASE)

SLEEPS = {"time.sleep", "asyncio.sleep", "anyio.sleep"}
QUEUES = {"Queue", "LifoQueue", "PriorityQueue", "SimpleQueue", "JoinableQueue"}

# A price's age or count is not a price.
PRICE_NAME = re.compile(r"price(?!\w*_(s|ms|us|ns|count|rate|bytes)$)", re.IGNORECASE)

ROUTE_MAKERS = {"get", "put", "post", "delete", "patch", "head", "options", "api_route", "add_api_route"}
OPERATION_ID = re.compile(r"[a-z]+(_[a-z0-9]+)*")

LANGUAGE = re.compile(r"^cryptomarket/(market/|errors\.py$)")
APART = re.compile(r"^cryptomarket/(simulator|client)/")
KNOWN_APART = {"simulator": {"market"}, "client": {"market", "errors", "secret", "backoff"}}


def product(source: Source) -> bool:
    return source.room == "cryptomarket"


def imports_inside_functions(source: Source) -> Iterator[Finding]:
    """An import belongs to the head of a file, where its cost and its direction can be seen."""
    seen: set[int] = set()
    for function in filter(is_function, source.nodes):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom) and node.lineno not in seen:
                seen.add(node.lineno)
                yield source.finding(
                    node.lineno, "import-inside", "import at the head of the file, not inside a function"
                )


def broad_excepts(source: Source) -> Iterator[Finding]:
    """Catch what you can act on. Only the three doors may catch everything, once each."""
    if not product(source):
        return
    allowed = 1 if str(source.path) in BROAD_DOORS else 0
    for node in source.nodes:
        if not isinstance(node, ast.ExceptHandler | ast.Call) or not catches_everything(node):
            continue
        if allowed:
            allowed -= 1
            continue
        yield source.finding(
            node.lineno, "broad-except", "name what is caught; the three doors are in scripts/rules/code.py"
        )


def catches_everything(node: ast.ExceptHandler | ast.Call) -> bool:
    """Whether it is a bare or broad `except`, or `contextlib.suppress` of the same."""
    if isinstance(node, ast.Call):
        kinds: list[ast.expr] = node.args if dotted(node.func).rpartition(".")[2] == "suppress" else []
    elif node.type is None:
        return True
    else:
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(dotted(kind).rpartition(".")[2] in BROAD_NAMES for kind in kinds)


def naive_datetimes(source: Source) -> Iterator[Finding]:
    """A datetime without a zone is a different moment on every machine."""
    for node in source.nodes:
        if not isinstance(node, ast.Call):
            continue
        owner, _, verb = dotted(node.func).rpartition(".")
        if owner.rpartition(".")[2] != "datetime":
            continue
        zoned = any(keyword.arg in {"tz", "tzinfo"} for keyword in node.keywords)
        if (
            verb in {"utcnow", "utcfromtimestamp", "today"}
            or (verb == "now" and not node.args and not zoned)
            or (verb == "fromtimestamp" and len(node.args) < 2 and not zoned)
        ):
            yield source.finding(node.lineno, "naive-datetime", f"datetime.{verb} without a zone; say UTC")


def float_prices(source: Source) -> Iterator[Finding]:
    """A price is exact: never a float, neither on the way nor in a type. The simulator draws its market as it likes."""
    if not product(source) or APART.match(str(source.path)):
        return
    for node in source.nodes:
        if isinstance(node, ast.Call) and dotted(node.func) == "float":
            names = {name for argument in node.args for name in spoken(argument)}
            if any(PRICE_NAME.search(name) for name in names):
                yield source.finding(
                    node.lineno, "float-price", "a price must not pass through float(); keep the Decimal"
                )
        for line, name, annotation in declared(node):
            if PRICE_NAME.search(name) and re.search(r"\bfloat\b", ast.unparse(annotation)):
                yield source.finding(line, "float-price", f"{name} is a price and prices are Decimal, not float")


def spoken(node: ast.AST) -> set[str]:
    """Every name, attribute and text key in an expression."""
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    names |= {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
    return names | {
        part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def declared(node: ast.AST) -> Iterator[tuple[int, str, ast.expr]]:
    """Line, name and annotation of what a node declares: a variable or field, an argument, a function's result."""
    if isinstance(node, ast.AnnAssign):
        yield node.lineno, dotted(node.target).rpartition(".")[2], node.annotation
    elif isinstance(node, ast.arg) and node.annotation is not None:
        yield node.lineno, node.arg, node.annotation
    elif is_function(node) and node.returns is not None:
        yield node.lineno, node.name, node.returns


def stray_sql(source: Source) -> Iterator[Finding]:
    """A room's SQL lives in its repository, its tables in tables.py; db.py, migrations and the writer are the rest."""
    if not product(source) or SQL_PLACES.search(str(source.path)):
        return
    for node in source.nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sqlalchemy":
            for alias in node.names:
                if alias.name in SQL_WORDS:
                    yield source.finding(
                        node.lineno, "stray-sql", f"{alias.name}() belongs into the room's repository.py"
                    )
        elif isinstance(node, ast.Call):
            owner, _, verb = dotted(node.func).rpartition(".")
            if verb in SQL_WORDS and owner in {"sqlalchemy", "sa"}:
                yield source.finding(
                    node.lineno, "stray-sql", f"{owner}.{verb}() belongs into the room's repository.py"
                )
            written = node.args[0] if node.args else None
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if called in SQL_EXECUTORS and isinstance(written, ast.Constant) and SQL_TEXT.match(str(written.value)):
                yield source.finding(node.lineno, "stray-sql", "SQL text belongs into the room's repository.py")


def unbounded_queues(source: Source) -> Iterator[Finding]:
    """Every queue has a bound and a sentence. Where the bound isn't in the constructor, `# bound:` says what it is."""
    if not product(source):
        return
    for node in source.nodes:
        if not isinstance(node, ast.Call):
            continue
        made = dotted(node.func).rpartition(".")[2]
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        factory = dotted(named["default_factory"]).rpartition(".")[2] if "default_factory" in named else ""
        if factory in QUEUES | {"deque"}:
            unbounded = True
        elif made in QUEUES:
            size = named.get("maxsize") or (node.args[0] if node.args else None)
            unbounded = size is None or (isinstance(size, ast.Constant) and size.value in {0, None})
        elif made == "deque":
            length = named.get("maxlen") or (node.args[1] if len(node.args) > 1 else None)
            unbounded = length is None or (isinstance(length, ast.Constant) and length.value is None)
        else:
            continue
        if unbounded and not source.remark(node.lineno, "bound"):
            yield source.finding(
                node.lineno, "unbounded-queue", "give it maxsize or maxlen, or say `# bound: …` beside it"
            )


def waiting_sleeps(source: Source) -> Iterator[Finding]:
    """A test waits for the event, with a deadline. A sleep that isn't a wait says `# sleep:` and why."""
    if source.room != "__tests__":
        return
    for node in source.nodes:
        if isinstance(node, ast.ImportFrom) and node.module in {"time", "asyncio", "anyio"}:
            if any(alias.name == "sleep" for alias in node.names):
                yield source.finding(node.lineno, "sleep", "call sleep by its full name, so that it can be seen")
        elif isinstance(node, ast.Call) and dotted(node.func) in SLEEPS and not source.remark(node.lineno, "sleep"):
            yield source.finding(
                node.lineno, "sleep", "wait for the event with a deadline, or say `# sleep: …` beside it"
            )


def skipped_tests(source: Source) -> Iterator[Finding]:
    """A test that does not run promises nothing."""
    if source.room != "__tests__":
        return
    for node in source.nodes:
        if isinstance(node, ast.Attribute):
            name = dotted(node)
            if re.fullmatch(r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)", name):
                yield source.finding(
                    node.lineno, "skipped-test", f"no {name}: the machine that tests has what they need"
                )


def language_imports(source: Source) -> Iterator[Finding]:
    """`market` and `errors` stand on the standard library, plus a struct codec in `market.wire`.

    `simulator` and `client` know the language alone; the client also what stands beside it.
    """
    path = str(source.path)
    for line, name in imported_modules(source):
        top, _, rest = name.partition(".")
        room = rest.partition(".")[0]
        if LANGUAGE.match(path):
            ours = top == "cryptomarket" and room in {"market", "errors"}
            codec = top == "msgspec" and path == "cryptomarket/market/wire.py"
            if not (ours or codec or top in sys.stdlib_module_names):
                yield source.finding(line, "language", f"{name}: market and errors stand on the standard library alone")
        elif APART.match(path) and top == "cryptomarket":
            own = source.path.parts[1]
            if room not in {own, "", *KNOWN_APART[own]}:
                yield source.finding(line, "apart", f"{name}: {own} knows {', '.join(sorted(KNOWN_APART[own]))} alone")


def nameless_routes(source: Source) -> Iterator[Finding]:
    """A route names its operation itself: generated clients call it by that name, which must outlive a rename here."""
    if not product(source) or APART.match(str(source.path)):
        return
    for node in source.nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = dotted(node.func.value).rpartition(".")[2]
        if node.func.attr not in ROUTE_MAKERS or not re.search(r"(^|_)(router|app)$", owner):
            continue
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        hidden = named.get("include_in_schema")
        if isinstance(hidden, ast.Constant) and hidden.value is False:
            continue
        told = named.get("operation_id")
        if not isinstance(told, ast.Constant) or not OPERATION_ID.fullmatch(str(told.value)):
            yield source.finding(node.lineno, "nameless-route", "give it operation_id= in words: snake_case, as text")


CODE_RULES = (
    imports_inside_functions,
    broad_excepts,
    naive_datetimes,
    float_prices,
    stray_sql,
    unbounded_queues,
    waiting_sleeps,
    skipped_tests,
    language_imports,
    nameless_routes,
)
