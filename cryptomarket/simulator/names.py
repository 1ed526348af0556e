"""The index names of Deribit and what their assets cost in the seeded market."""

from typing import Final

INDEX_NAMES: Final[tuple[str, ...]] = (
    "btc_usd", "eth_usd",
    "ada_usdc", "algo_usdc", "avax_usdc", "bch_usdc", "bnb_usdc", "btc_usdc", "btcdvol_usdc", "buidl_usdc", "doge_usdc",
    "dot_usdc", "eurr_usdc", "eth_usdc", "ethdvol_usdc", "link_usdc", "ltc_usdc", "near_usdc", "paxg_usdc", "shib_usdc",
    "sol_usdc", "steth_usdc", "ton_usdc", "trump_usdc", "trx_usdc", "uni_usdc", "usde_usdc", "usyc_usdc", "xrp_usdc",
    "btc_usdt", "eth_usdt", "eurr_usdt", "sol_usdt", "steth_usdt", "usdc_usdt", "usde_usdt",
    "btc_eurr", "btc_usde", "btc_usyc", "eth_btc", "eth_eurr", "eth_usde", "eth_usyc", "steth_eth", "paxg_btc",
    "drbfix-btc_usdc", "drbfix-eth_usdc",
)  # fmt: skip

VOLATILITY_INDEX_NAMES: Final = ("btc_usd", "eth_usd")

CURRENCIES: Final[dict[str, str]] = {
    "BTC": "Bitcoin", "ETH": "Ethereum", "USDC": "USD Coin", "USDT": "Tether USD", "EURR": "StablR Euro",
    "SOL": "Solana", "XRP": "XRP", "STETH": "Lido Staked Ether", "USYC": "Hashnote USYC", "PAXG": "PAX Gold",
    "BNB": "BNB", "USDE": "Ethena USDe",
}  # fmt: skip
"""Wallet currencies: code to long name."""

ANCHORS: Final[dict[str, tuple[float, float]]] = {
    "btc": (85_000.0, 0.50), "eth": (2_700.0, 0.65), "sol": (145.0, 0.80), "xrp": (2.15, 0.80), "ada": (0.47, 0.85),
    "algo": (0.15, 0.90), "avax": (14.2, 0.85), "bch": (480.0, 0.75), "bnb": (870.0, 0.55), "doge": (0.152, 0.95),
    "dot": (2.45, 0.85), "link": (12.8, 0.85), "ltc": (88.0, 0.75), "near": (1.95, 0.95), "paxg": (4_080.0, 0.18),
    "shib": (8.6e-6, 0.95), "steth": (2_694.0, 0.65), "ton": (1.58, 0.85), "trump": (6.9, 1.10), "trx": (0.276, 0.45),
    "uni": (6.3, 0.95), "eurr": (1.158, 0.08), "usde": (0.9991, 0.005), "usyc": (1.106, 0.004), "buidl": (1.0, 0.001),
    "usdc": (1.0, 0.002), "usdt": (0.9994, 0.004), "usd": (1.0, 0.0),
    "btcdvol": (46.0, 0.70), "ethdvol": (66.0, 0.70),
}  # fmt: skip
"""Asset to (price in dollars that its path wanders around, yearly volatility as a fraction)."""


def split_index(index_name: str) -> tuple[str, str]:
    """``drbfix-btc_usdc`` is quoted like ``btc_usdc``: (``btc``, ``usdc``)."""
    base, quote = index_name.removeprefix("drbfix-").split("_")
    return base, quote
