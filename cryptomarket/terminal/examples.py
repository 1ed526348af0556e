"""What the help shows at its end: commands to copy, and what their exit statuses mean."""

from cryptomarket.terminal.endings import MEANINGS

EXAMPLES = {
    "tail": (
        "cryptomarket tail btc_usd BTC-PERPETUAL",
        "cryptomarket tail btc_usd --json | jq .price",
        "cryptomarket tail btc_usd --out btc.jsonl      # run it again, and it goes on after its last line",
    ),
    "history": (
        "cryptomarket history btc_usd --last 15m",
        "cryptomarket history BTC-PERPETUAL --start 2026-01-31 --end 2026-02-01 --limit 100000 --json",
    ),
    "export": (
        "cryptomarket export btc_usd --to btc.parquet --last 7d",
        "cryptomarket export BTC-PERPETUAL --to january.csv --start 2026-01-01 --end 2026-02-01",
    ),
    "candles": (
        "cryptomarket candles btc_usd",
        "cryptomarket candles BTC-PERPETUAL --resolution 60 --last 2d",
    ),
    "status": ("cryptomarket status && echo ready",),
    "login": (
        "cryptomarket login --client-id demo-1          # the simulator's; its secret is demo-1-secret",
        "cryptomarket login --api-key <key.txt",
    ),
    "logout": ("cryptomarket logout",),
}


def epilog_of(name: str) -> str:
    """The end of a command's help."""
    examples = "\n\n".join(EXAMPLES[name])
    statuses = "\n\n".join(f"{ending.value} {meaning}" for ending, meaning in MEANINGS.items())
    return f"Examples\n\n{examples}\n\nExit statuses\n\n{statuses}"
