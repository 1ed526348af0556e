"""Methods about who is asking: logins, account summaries, logout."""

from typing import Any, Final

from cryptomarket.simulator.accounts import Account, Grant, websocket_signature
from cryptomarket.simulator.desk import Call, Desk, Method
from cryptomarket.simulator.names import CURRENCIES
from cryptomarket.simulator.params import Param
from cryptomarket.simulator.refusals import Refusal, bad_param, unauthorized
from cryptomarket.simulator.spelling import Json

_GRANTS: Final = frozenset(("client_credentials", "client_signature", "refresh_token"))
_CREATED_MS: Final = 1_567_103_182_920
_ZEROES: Final = (
    "equity", "balance", "available_funds", "available_withdrawal_funds", "margin_balance", "initial_margin",
    "maintenance_margin", "projected_initial_margin", "projected_maintenance_margin", "total_pl", "session_upl",
    "session_rpl", "options_pl", "options_session_upl", "options_session_rpl", "options_delta", "options_gamma",
    "options_vega", "options_theta", "options_value", "futures_pl", "futures_session_upl", "futures_session_rpl",
    "delta_total", "projected_delta_total", "spot_reserve", "additional_reserve", "fee_balance", "locked_balance",
    "estimated_liquidation_ratio",
)  # fmt: skip
_MAPS: Final = (
    "delta_total_map", "options_gamma_map", "options_vega_map", "options_theta_map", "estimated_liquidation_ratio_map",
)  # fmt: skip
_PRODUCTS: Final = ("perpetual", "futures", "options", "future_combos", "option_combos", "spots")


def _auth(desk: Desk, call: Call) -> Json:
    params = call.params
    connection = None if call.connection is None else call.connection.id
    try:
        if params["grant_type"] == "refresh_token":
            grant = desk.accounts.refresh(_given(params, "refresh_token"), connection, call.now_us)
        else:
            account = _account(desk, call)
            grant = desk.accounts.grant(account, params["scope"] or "", connection, call.now_us)
    except Refusal:
        desk.journal.logins_refused += 1
        raise
    desk.journal.logins += 1
    if call.connection is not None:
        call.connection.grant = grant
    answer = _tokens(grant, call.now_us)
    if params["state"] is not None:
        answer["state"] = params["state"]
    return answer


def _account(desk: Desk, call: Call) -> Account:
    params = call.params
    if params["grant_type"] == "client_credentials":
        return desk.accounts.by_secret(_given(params, "client_id"), _given(params, "client_secret"))
    client_id, signature = _given(params, "client_id"), _given(params, "signature")
    timestamp = params["timestamp"]
    if isinstance(timestamp, bool) or not isinstance(timestamp, (int, str)):
        raise bad_param("timestamp", "value required" if timestamp is None else "wrong format")
    nonce, data = params["nonce"] or "", params["data"] or ""
    return desk.accounts.by_signature(
        client_id, str(timestamp), signature, call.clock_us,
        lambda secret: websocket_signature(secret, str(timestamp), nonce, data),
    )  # fmt: skip


def _tokens(grant: Grant, now_us: int) -> dict[str, Json]:
    answer: dict[str, Json] = {
        "enabled_features": [],
        "access_token": grant.access_token,
        "expires_in": (grant.expires_us - now_us) // 1_000_000,
        "refresh_token": grant.refresh_token,
        "scope": grant.scope,
        "token_type": "bearer",
    }
    if grant.session:
        answer["sid"] = grant.session
    return answer


def _fork_token(desk: Desk, call: Call) -> Json:
    old = desk.accounts.by_refresh_token(call.params["refresh_token"])
    if old is None or old.session is None:
        raise unauthorized()
    words = [word for word in old.scope.split() if not word.startswith(("session:", "mainaccount"))]
    scope = " ".join([*words, f"session:{call.params['session_name']}"])
    return _tokens(desk.accounts.grant(old.account, scope, None, call.now_us), call.now_us)


def _logout(desk: Desk, call: Call) -> Json:
    grant = call.grant
    if grant is not None and call.params["invalidate_token"]:
        desk.accounts.revoke(grant)
    # The socket's close is the answer; no body of it is documented.
    call.silent = True
    call.close_code = desk.options.logout_close_code
    return "ok"


def _get_account_summary(desk: Desk, call: Call) -> Json:
    account = _reader(call)
    answer = _funds(call.params["currency"])
    return answer | _person(account) if call.params["extended"] else answer


def _get_account_summaries(desk: Desk, call: Call) -> Json:
    account = _reader(call)
    # The account's fields stand beside the list whether or not they were asked for, as in the recorded reply.
    summaries: list[Json] = [_funds(currency) for currency in CURRENCIES]
    return {**_person(account), "summaries": summaries}


def _reader(call: Call) -> Account:
    if call.grant is None:
        raise unauthorized()
    if not any(word.startswith("account:read") for word in call.grant.scope.split()):
        raise Refusal(13403)
    return call.grant.account


def _person(account: Account) -> dict[str, Json]:
    return {
        "id": account.id,
        "type": "main",
        "username": account.client_id,
        "email": account.email,
        "system_name": account.client_id,
        "creation_timestamp": _CREATED_MS + account.number,
        "referrer_id": None,
        "login_enabled": True,
        "security_keys_enabled": False,
        "mandatory_tfa": False,
        "mmp_enabled": False,
        "interuser_transfers_enabled": False,
        "receive_notifications": False,
        "self_trading_reject_mode": "reject_taker",
        "self_trading_extended_to_subaccounts": False,
        "disable_kyc_verification": True,
        "block_rfq_self_match_prevention": False,
        "change_margin_model_api_limit": {"timeframe": 86_400_000, "rate": 10},
        "trading_products_details": [
            {"enabled": True, "product": product, "overwriteable": False, "requires_consent": False}
            for product in _PRODUCTS
        ],
    }


def _funds(currency: str) -> dict[str, Json]:
    answer: dict[str, Json] = dict.fromkeys(_ZEROES, 0.0)
    for name in _MAPS:
        answer[name] = {}
    return answer | {
        "currency": currency,
        "margin_model": "segregated_sm",
        "portfolio_margining_enabled": False,
        "cross_collateral_enabled": False,
        "limits": {
            "limits_per_currency": False,
            "non_matching_engine": {"rate": 20, "burst": 100},
            "matching_engine": {
                "trading": {"total": {"rate": 5, "burst": 20}},
                "spot": {"rate": 5, "burst": 20},
                "cancel_all": {"rate": 5, "burst": 20},
                "maximum_quotes": {"rate": 500, "burst": 500},
                "maximum_mass_quotes": {"rate": 10, "burst": 10},
                "guaranteed_mass_quotes": {"rate": 2, "burst": 2},
                "block_rfq_maker": {"rate": 10, "burst": 20},
            },
        },
    }


def _given(params: dict[str, Any], name: str) -> str:
    value = params[name]
    if not isinstance(value, str):
        raise bad_param(name, "value required")
    return value


ACCOUNT_METHODS: Final[dict[str, Method]] = {
    "public/auth": Method(
        _auth,
        (
            Param("grant_type", required=True, choices=_GRANTS),
            *(Param(name) for name in ("client_id", "client_secret", "refresh_token", "signature", "nonce", "data")),
            *(Param(name) for name in ("state", "scope")),
            Param("timestamp", "any"),
        ),
    ),
    "public/fork_token": Method(
        _fork_token, (Param("refresh_token", required=True), Param("session_name", required=True))
    ),
    "private/logout": Method(_logout, (Param("invalidate_token", "boolean", default=True),), websocket_only=True),
    "private/get_account_summary": Method(
        _get_account_summary,
        (
            Param("currency", required=True, choices=frozenset(CURRENCIES), wrong_choice="invalid currency"),
            Param("subaccount_id", "integer"),
            Param("extended", "boolean", default=False),
        ),
    ),
    "private/get_account_summaries": Method(
        _get_account_summaries, (Param("subaccount_id", "integer"), Param("extended", "boolean", default=False))
    ),
}
