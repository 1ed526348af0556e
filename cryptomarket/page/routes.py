"""The live page, the operator's page, and the files that they load."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import Response

from cryptomarket.errors import NotFound
from cryptomarket.page.files import PageFile, folder, read_files

router = APIRouter(include_in_schema=False)

FILES = read_files(folder())

# Nothing but our own files, no script or style within a page, and no text that becomes either.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
ASSET_HEADERS = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/", include_in_schema=False)
async def live_page(request: Request) -> Response:
    return served(request, FILES.pages["live.html"], PAGE_HEADERS)


@router.get("/operator", include_in_schema=False)
async def operator_page(request: Request) -> Response:
    # The page itself is for anybody: it holds nothing, and what it shows is asked for with the scope operator.
    return served(request, FILES.pages["operator.html"], PAGE_HEADERS)


@router.get("/page/{version}/{name:path}", include_in_schema=False)
async def asset(request: Request, version: str, name: str) -> Response:
    found = FILES.assets.get(name)
    if found is None:
        raise NotFound("There is no such file of the pages.")
    # While processes are replaced one by one, a page of one version may ask a process of another. It gets what there
    # is, and keeps it for no longer than this once.
    return served(
        request, found, {**ASSET_HEADERS, "Cache-Control": FOR_EVER if version == FILES.version else "no-cache"}
    )


def served(request: Request, file: PageFile, headers: Mapping[str, str]) -> Response:
    """A file, packed for who can unpack it; nothing but headers for who has it (RFC 9110, 13.1.2)."""
    is_packed = file.packed is not None and _unpacks(request.headers.get("accept-encoding", ""))
    tag = f'"{file.tag}{"-gz" if is_packed else ""}"'
    told = {**headers, "ETag": tag}
    if file.packed is not None:
        told["Vary"] = "Accept-Encoding"
    if tag in {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers=told)
    if file.packed is None or not is_packed:
        return Response(file.content, headers=told, media_type=file.media_type)
    return Response(file.packed, headers={**told, "Content-Encoding": "gzip"}, media_type=file.media_type)


def _unpacks(accepted: str) -> bool:
    """Whether gzip is among the codings that are accepted (RFC 9110, 12.5.3); one of no weight is not."""
    for each in accepted.split(","):
        coding, _, weight = (part.strip() for part in each.partition(";"))
        if coding.lower() in {"gzip", "x-gzip"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
