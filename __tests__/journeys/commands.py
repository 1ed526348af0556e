"""The command line beside a gateway: keys and persons made in its database, from a process of their own."""

from __tests__.journeys.gateway import Gateway


async def command(gate: Gateway, *arguments: str) -> str:
    """What `cryptomarket <arguments>` prints, run in the gateway's folder with its settings."""
    status, printed, complaints = await gate.run(*arguments)
    assert status == 0, complaints
    return printed


async def minted(gate: Gateway, count: int) -> list[tuple[str, str]]:
    """(user_id, token) of so many new persons, made while the gateway runs."""
    lines = (await command(gate, "mint", str(count))).splitlines()
    persons = [(user_id, token) for user_id, token in (line.split() for line in lines)]
    assert len(persons) == count
    return persons
