"""The laws of leases, whoever does what and when."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.conformance.form import FORMS, Backplane
from __tests__.examples import examples
from cryptomarket.backplane.lease import Lease


async def test_a_lease_is_exclusive(backplane: Backplane) -> None:
    """Promise: work that must be done once has one owner, of however many ask at once."""
    asked = [backplane.leases.acquire("slot:0", f"owner-{number}", life_s=10) for number in range(10)]
    given_out = [lease for lease in await asyncio.gather(*asked) if lease is not None]
    assert len(given_out) == 1
    assert await backplane.leases.holders() == {"slot:0": given_out[0]}


@pytest.mark.parametrize("form_name", sorted(FORMS))
@given(script=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["acquire", "renew", "release", "wait"]))))
@examples(60)
async def test_whoever_does_what_there_is_one_owner_and_growing_tokens(
    form_name: str, script: list[tuple[str, str]]
) -> None:
    """Promise: at no time do two owners both hold a name, and no token is given out twice."""
    async with FORMS[form_name]() as form:
        leases: dict[str, Lease] = {}
        newest = 0
        for owner, step in script:
            match step:
                case "acquire":
                    lease = await form.leases.acquire("slot:0", owner, life_s=10)
                    if lease is not None:
                        assert lease.token > newest
                        newest = lease.token
                        leases[owner] = lease
                case "renew" if owner in leases:
                    renewed = await form.leases.renew(leases[owner], life_s=10)
                    assert not renewed or leases[owner].token == newest
                case "release" if owner in leases:
                    await form.leases.release(leases.pop(owner))
                case "wait":
                    await form.advance(4)
            holders = await form.leases.holders()
            assert all(lease.token == newest and leases.get(lease.owner) == lease for lease in holders.values())
