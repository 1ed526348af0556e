"""The command line beside a gateway: keys and persons made in its database, from a process of their own."""

from __tests__.journeys.gateway import Gateway


async def command(gate: Gateway, *arguments: str) -> str:
    """What `cryptomarket <arguments>` prints, run in the gateway's folder with its settings."""
    status, printed, complaints = await gate.run(*arguments)
    assert status == 0, complaints
    return printed


async def operator_token(gate: Gateway) -> str:
    """A token with which `/api/v2/operation` answers: an API key is made and exchanged."""
    key = (await command(gate, "keys", "create", "journeys")).split()[-1]
    async with gate.client() as client:
        answer = await client.post("/api/v2/auth/token", data={"grant_type": "api_key", "api_key": key})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def minted(gate: Gateway, count: int) -> list[tuple[str, str]]:
    """(user_id, token) of so many new persons, made while the gateway runs."""
    lines = (await command(gate, "mint", str(count))).splitlines()
    persons = [(user_id, token) for user_id, token in (line.split() for line in lines)]
    assert len(persons) == count
    return persons
