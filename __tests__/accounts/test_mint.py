"""Load tests get as many different users as they ask for."""

import random

from __tests__.accounts.world import World
from cryptomarket.accounts.mint import mint


async def test_minted_persons_are_users_like_others(world: World) -> None:
    """Each has an identity of his own and a token that is accepted; nobody real is touched, and more may follow."""
    real = await world.enter()
    minted = [
        one
        for seed in (7, 8)
        async for one in mint(
            1100 if seed == 7 else 3,
            repository=world.parts.repository,
            tokens=world.parts.tokens,
            now_ms=world.hands.wall_us // 1000,
            random_bytes=random.Random(seed).randbytes,
        )
    ]
    assert len({one.user_id for one in minted} | {real["user_id"]}) == 1104
    assert minted[0].access_token not in repr(minted[0])
    for one in (minted[0], minted[999], minted[1000], minted[-1]):
        answer = await world.http.get("/api/v2/me", headers={"Authorization": f"Bearer {one.access_token}"})
        assert answer.status_code == 200
        assert answer.json()["user_id"] == one.user_id
    stored = await world.parts.repository.person(minted[-1].user_id)
    assert stored is not None
    assert stored.username == "minted-1102"
    assert world.exchange.asked == ["demo-1"]
