"""How the pool behaves, as plain values."""

from dataclasses import dataclass

from cryptomarket.deribit.auth import ClientKey, Grant


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """Everything that the pool and its sessions may be told.

    ws_url: the exchange's WebSocket (`wss://www.deribit.com/ws/api/v2`).
    size, login_slots: how many sessions there are, and how many of them, the last ones, serve logins and requests.
        The exchange allows 32 connections per address (docs.deribit.com/articles/connection-management-best-practices).
    heartbeat_s: interval of the exchange's heartbeats, at least 10. A session that hears nothing at all for
        `silent_intervals` of them is dead.
    backoff_base_s, backoff_cap_s: reconnecting waits a random part of base × 2ⁿ seconds, at most the cap.
    key, grant: the gateway's own key, if any, and how it logs in. It opens raw channels on the data slots.
    compression: whether permessage-deflate is offered. It saves four fifths of the bytes and costs processor time.
    max_frame_bytes: the largest frame that is read; all instruments in one answer are 5 MB.
    read_ahead_frames: frames that wait between socket and session; at the bound, reading pauses.
    reconnect_patience_s: how long a request or a login waits for a slot that is on its way; where the exchange has
        turned every slot away, it does not wait at all.
    max_waiting: requests and logins that wait for a slot or for credits; beyond, they are refused at once.
    """

    ws_url: str
    size: int = 10
    login_slots: int = 2
    heartbeat_s: int = 10
    silent_intervals: float = 2.5
    request_timeout_s: float = 10.0
    connect_timeout_s: float = 10.0
    close_timeout_s: float = 2.0
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 30.0
    key: ClientKey | None = None
    grant: Grant = Grant.SIGNATURE
    compression: bool = False
    max_frame_bytes: int = 32 * 2**20
    read_ahead_frames: int = 256
    reconnect_patience_s: float = 3.0
    max_waiting: int = 256
    client_name: str = "cryptomarket"
    client_version: str = "2"

    def __post_init__(self) -> None:
        if not 1 <= self.login_slots < self.size:
            raise ValueError("the pool needs at least one login slot and one data slot")
        if self.heartbeat_s < 10:  # noqa: PLR2004  # the exchange's own bound, said in the sentence
            raise ValueError("the exchange takes no heartbeat interval below 10 seconds")
