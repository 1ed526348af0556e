"""A real nginx with the project's configuration, in front of a gateway: what a reader outside meets."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from __tests__.backplane.redis_server import free_port
from __tests__.deployment.certificate import certify
from __tests__.journeys.gateway import Gateway
from __tests__.journeys.witness import comes_true

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
CONFIGURATION = Path(__file__).resolve().parents[2] / "nginx"


@dataclass(frozen=True)
class Front:
    """nginx before a gateway. `plain` and `tls` are the gateway as it is reached through it; `certificate` is what its
    TLS is to be trusted by.
    """

    plain: Gateway
    tls: Gateway
    certificate: Path
    log_path: Path
    pid: int

    def resident_bytes(self) -> int:
        """The memory of nginx, all its processes."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        sizes = [re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()) for pid in children]
        return sum(int(size[1]) * 1024 for size in sizes if size)


@asynccontextmanager
async def in_front_of(
    gate: Gateway, *, tls: bool = False, changed: Mapping[str, str] | None = None
) -> AsyncIterator[Front]:
    """nginx until the block ends, once the gateway answers through it. `changed` are texts of nginx.conf, and what is
    to stand in their place.
    """
    folder, prefix = gate.folder / "nginx", gate.folder / "nginx-prefix"
    prefix.mkdir()
    shutil.copytree(CONFIGURATION, folder)
    certify(folder / "tls")
    ports = {"8080": free_port(), "8443": free_port()}
    listen = (folder / ("listen_tls.conf" if tls else "listen.conf")).read_text()
    for usual, port in ports.items():
        listen = listen.replace(f"listen {usual}", f"listen 127.0.0.1:{port}")
    (folder / "listen.conf").write_text(listen)
    upstream = folder / "upstream.conf"
    upstream.write_text(upstream.read_text().replace("gateway:8003", gate.url.removeprefix("http://")))
    text = (folder / "nginx.conf").read_text()
    for usual, other in (changed or {}).items():
        assert usual in text, f"nginx.conf does not say {usual!r} any more"
        text = text.replace(usual, other)
    (folder / "nginx.conf").write_text(text)
    command = [NGINX, "-p", f"{prefix}/", "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with (gate.folder / "nginx.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    front = Front(
        Gateway(gate.folder, gate.settings, url=f"http://127.0.0.1:{ports['8080']}"),
        Gateway(gate.folder, gate.settings, url=f"https://localhost:{ports['8443']}"),
        folder / "tls" / "fullchain.pem",
        gate.folder / "nginx.log",
        process.pid,
    )
    try:
        await comes_true(lambda: _answers(front.plain))
        yield front
    finally:
        process.terminate()
        async with asyncio.timeout(20):
            await process.wait()


async def _answers(gate: Gateway) -> bool:
    async with gate.client() as client:
        with suppress(httpx.TransportError):
            return (await client.get("/health")).status_code == 200
    return False
