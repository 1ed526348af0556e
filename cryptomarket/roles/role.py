"""The roles, and which settings they can't work with."""

from enum import StrEnum

from cryptomarket.errors import StartRefused
from cryptomarket.market.instruments import Exchange
from cryptomarket.settings import Settings


class Role(StrEnum):
    """What a process does. One with `all` is a whole gateway; the others are parts of one."""

    ALL = "all"
    API = "api"
    INGEST = "ingest"
    WRITE = "write"

    @property
    def serves(self) -> bool:
        """Whether it serves readers."""
        return self in {Role.ALL, Role.API}

    @property
    def hears(self) -> bool:
        """Whether it hears the exchange."""
        return self in {Role.ALL, Role.INGEST}

    @property
    def stores(self) -> bool:
        """Whether it stores what is published."""
        return self in {Role.ALL, Role.WRITE}


def check_role(settings: Settings, role: Role, workers: int = 1) -> None:
    """Raises StartRefused, with a sentence, for what can't work together."""
    if workers < 1:
        raise StartRefused("--workers must be 1 or more.")
    if workers > 1 and role is not Role.API:
        raise StartRefused(f"--workers is for the role api; of {role} there is one in a process.")
    if role is Role.ALL:
        return
    process = f"{workers} API workers need" if workers > 1 else f"The role {role} needs"
    if not settings.redis_address:
        raise StartRefused(f"{process} a shared backplane; set REDIS_URL.")
    if settings.debug:
        raise StartRefused(f"{process} a database that processes can share; set DEBUG=False and POSTGRES_HOST.")
    if "exchange" not in settings.model_fields_set:
        raise StartRefused(f"{process} an EXCHANGE that was said; set it to {', '.join(Exchange)}.")
    if role is not Role.WRITE and not settings.seal_secret.get_secret_value():
        raise StartRefused(f"{process} the SEAL_SECRET that all processes of the gateway share; set it.")
    if role is Role.API and not settings.token_key.get_secret_value():
        raise StartRefused(f"{process} the TOKEN_KEY that all processes of the gateway share; set it.")
    if workers > 1 and settings.app_port == 0:
        raise StartRefused(f"{process} one port that they share; set APP_PORT.")
