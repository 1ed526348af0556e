"""A key is shown once, kept as a digest, and dies with everything that was given for it."""

import re

import pytest
from structlog.testing import capture_logs

from __tests__.accounts.world import World
from cryptomarket.accounts.keys import key_id_of, origin_of
from cryptomarket.accounts.tokens import Scope
from cryptomarket.errors import Impossible, NotFound, Unauthenticated
from cryptomarket.secret import Secret

OPERATOR = frozenset({Scope.OPERATOR})


async def test_a_key_stands_for_its_holder(world: World) -> None:
    """What was made is accepted, with its scope; without a user it stands for itself."""
    made = await world.parts.keys.create("prometheus", scope=OPERATOR)
    assert re.fullmatch(r"cmk_[a-z2-7]{12}_[0-9a-f]{64}", made.text.reveal())
    holder = await world.parts.keys.holder(made.text)
    assert (holder.key_id, holder.scope) == (made.stored.key_id, OPERATOR)
    assert holder.user_id == f"k_{made.stored.key_id}"
    mine = await world.parts.keys.create("mine", scope=frozenset(Scope), user_id=(await world.enter())["user_id"])
    assert (await world.parts.keys.holder(mine.text)).user_id.startswith("u_")
    assert (await world.parts.keys.holder(mine.text)).scope == frozenset(Scope)


async def test_a_key_that_is_shown_leaves_a_line(world: World) -> None:
    """Promise: the log tells whose key opened and that another did not, by its open part alone."""
    made = await world.parts.keys.create("k", scope=OPERATOR)
    with capture_logs() as lines:
        await world.parts.keys.holder(made.text)
        with pytest.raises(Unauthenticated):
            await world.parts.keys.holder(Secret("cmk_guess"))
    assert [(line["event"], line["outcome"], line.get("key_id")) for line in lines] == [
        ("login", "let in", made.stored.key_id), ("login", "Unauthenticated", None),
    ]  # fmt: skip
    assert made.text.reveal().rpartition("_")[2] not in repr(lines)


async def test_the_key_itself_is_nowhere(world: World) -> None:
    """Neither the object's repr nor the database's files show it."""
    made = await world.parts.keys.create("prometheus", scope=OPERATOR)
    secret_part = made.text.reveal().rpartition("_")[2]
    assert secret_part not in repr(made)
    files = b"".join(path.read_bytes() for path in world.database_path.parent.glob("accounts.sqlite3*"))
    assert made.stored.key_id.encode() in files
    assert secret_part.encode() not in files
    assert bytes.fromhex(secret_part) not in files


async def test_any_other_key_is_nobodys(world: World) -> None:
    """A wrong end, a wrong id, a strange form, and everything that is no key at all."""
    made = (await world.parts.keys.create("k", scope=OPERATOR)).text.reveal()
    for wrong in (
        f"{made[:-1]}{'0' if made[-1] != '0' else '1'}",
        made.upper(),
        f"{made}\n",
        f" {made}",
        f"cmk_{'a' * 12}_{made.rpartition('_')[2]}",
        f"cmk_{'a' * 12}_{'0' * 64}",
        "cmk__",
        "",
        "ä" * 100,
    ):
        with pytest.raises(Unauthenticated):
            await world.parts.keys.holder(Secret(wrong))


async def test_a_revoked_key_gives_nothing_and_takes_its_tokens_along(world: World) -> None:
    """The key is refused, and what was given for it is dead; other keys live on."""
    keys = world.parts.keys
    made, other = await keys.create("k", scope=OPERATOR), await keys.create("o", scope=OPERATOR)
    await keys.revoke(made.stored.key_id)
    with pytest.raises(Unauthenticated):
        await keys.holder(made.text)
    with pytest.raises(Unauthenticated):
        world.parts.revocations.check("jti", origin_of(made.stored.key_id))
    world.parts.revocations.check("jti", origin_of(other.stored.key_id))
    assert world.revoked == [origin_of(made.stored.key_id)]
    assert (await keys.holder(other.text)).scope == OPERATOR
    for unknown in (made.stored.key_id, "nobody"):
        with pytest.raises(NotFound):
            await keys.revoke(unknown)


async def test_the_list_tells_of_all_keys_without_showing_one(world: World) -> None:
    """Revoked ones stay in it, with their time."""
    made = await world.parts.keys.create("first", scope=OPERATOR)
    world.hands.forward(1)
    await world.parts.keys.create("second", scope=OPERATOR)
    await world.parts.keys.revoke(made.stored.key_id)
    listed = await world.parts.keys.list()
    assert [(key.name, key.scope, key.revoked_ms is None) for key in listed] == [
        ("second", "operator", True),
        ("first", "operator", False),
    ]


async def test_impossible_keys_are_refused(world: World) -> None:
    """No name, an endless one, one that a terminal would obey, no scope, a user who is not there: nothing is stored."""
    for name in ("", "  ", "x" * 101, "a\x1b[2J"):
        with pytest.raises(Impossible):
            await world.parts.keys.create(name, scope=OPERATOR)
    with pytest.raises(Impossible):
        await world.parts.keys.create("k", scope=frozenset())
    with pytest.raises(NotFound):
        await world.parts.keys.create("k", scope=OPERATOR, user_id="u_nobody")
    assert await world.parts.keys.list() == []


def test_the_open_part_is_read_from_whole_keys_alone() -> None:
    """What is logged or counted of a key is its id, never a part of its secret."""
    assert key_id_of(Secret(f"cmk_{'a' * 12}_{'0' * 64}")) == "a" * 12
    assert key_id_of(Secret(f"cmk_{'0' * 64}")) == ""
