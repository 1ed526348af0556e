"""Every knob of the simulator. What is uncertain about the real exchange is a knob too, and says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryptomarket.simulator.credits import DEFAULT_POOLS, Pool
from cryptomarket.simulator.faults import Fault


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """How the simulated exchange behaves.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        seed: names the market. Same seed, same market.
        origin: ``calendar`` ties prices to the time of day, so that restarts agree; ``start`` begins each run with the
            same prices.
        index_period_s: time between two ticks of an index channel.
        activity: instrument name pattern to the seconds between two changes, winning over the built-in classes (from
            0.2 s for the big perpetuals to 3600 s for deep options).
        rate: price notifications per second in all, shared by the subscribed ticker and index channels; 0 leaves the
            market its own pace.
        testnet: the flag in every reply.
        playback: recording to play; its channels follow it, the others the seed.
        playback_speed: 2.0 plays twice as fast.
        playback_loop: begin again at the end.
        playback_restamp: move recorded ``timestamp`` values to the present; every other token stays as recorded.
        recording: keep a log of what was sent, readable at ``/simulator/sent``.
        recording_limit: entries of that log; the oldest leave first.
        faults: trouble, relative to the start.
        control: serve the ``/simulator/…`` paths.
        compression: answer an offer of permessage-deflate, as Deribit does.
        version: what ``public/test`` and ``public/hello`` answer.
        max_connections_per_address: connections of one address; one more gets 429.
        max_channels_per_call: channels in one subscribe call. Over-limit behaviour is not published; here -32602.
        max_request_bytes: size of a frame or body.
        request_too_large_closes: whether a too large frame also ends the connection (uncertain).
        max_sessions_per_key: sessions of one API key; one more evicts the oldest.
        idle_drop_s: silence after which a socket with neither heartbeat nor channels is cut.
        heartbeat_scale: multiplies all heartbeat times, for short tests.
        heartbeat_first_extra_s: the first test_request follows this long after the interval.
        heartbeat_next_extra_s: and each further one.
        heartbeat_answer_s: time to answer a test_request.
        signature_window_s: age at which a signed login is refused.
        token_life_s: ``expires_in`` of access tokens. Real ones were seen with 900 and with 31536000.
        expired_token_reason: ``reason`` of 13009 for an expired token (uncertain).
        logout_close_code: close code after ``private/logout`` (uncertain); 0 cuts the connection.
        rate_limit_close_code: close code after 10028 (uncertain); 0 cuts.
        rate_limit_http_status: HTTP status of 10028 (uncertain).
        maintenance_close_code: close code when maintenance ends connections (uncertain).
        credits: whether request credits are counted.
        pools: credit pools by class (docs.deribit.com/articles/rate-limits). Numbers for callers without an account are
            unpublished; they get the same.
        max_buffer_bytes: unsent bytes at which a slow reader is dropped (uncertain).
    """

    host: str = "127.0.0.1"
    port: int = 8004
    seed: int = 1
    origin: Literal["calendar", "start"] = "calendar"
    index_period_s: float = 1.0
    activity: Mapping[str, float] = field(default_factory=dict)
    rate: float = 0.0
    testnet: bool = True
    playback: Path | None = None
    playback_speed: float = 1.0
    playback_loop: bool = False
    playback_restamp: bool = False
    recording: bool = False
    recording_limit: int = 100_000
    faults: tuple[Fault, ...] = ()
    control: bool = True
    compression: bool = True
    version: str = "1.2.26"
    max_connections_per_address: int = 32
    max_channels_per_call: int = 500
    max_request_bytes: int = 32_768
    request_too_large_closes: bool = False
    max_sessions_per_key: int = 16
    idle_drop_s: float = 60.5
    heartbeat_scale: float = 1.0
    heartbeat_first_extra_s: float = 2.0
    heartbeat_next_extra_s: float = 0.6
    heartbeat_answer_s: float = 10.0
    signature_window_s: float = 60.0
    token_life_s: int = 900
    expired_token_reason: str = "invalid_token"  # noqa: S105  # the reason Deribit gives, no secret
    logout_close_code: int = 1000
    rate_limit_close_code: int = 1000
    rate_limit_http_status: int = 429
    maintenance_close_code: int = 1001
    credits: bool = True
    pools: Mapping[str, Pool] = field(default_factory=lambda: DEFAULT_POOLS)
    max_buffer_bytes: int = 8_388_608
