"""The pages that show the document: whole from here, so that they work where there is no network but ours."""

from importlib.resources import files
from pathlib import Path

import fastapi_offline
from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from cryptomarket.errors import NotFound

router = APIRouter(include_in_schema=False)

ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "redoc.standalone.js": "text/javascript",
    "favicon.png": "image/png",
}
START = "swagger-start.js"

# Nothing but our own scripts. Both pages write styles into themselves, and the search of one of them is a worker.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>cryptomarket</title>
<link rel="icon" href="docs/assets/favicon.png">
{head}
</head>
<body style="margin: 0">
{body}
</body>
</html>
"""
_SWAGGER = _PAGE.format(
    head='<link rel="stylesheet" href="docs/assets/swagger-ui.css">',
    body='<div id="swagger-ui"></div>\n<script src="docs/assets/swagger-ui-bundle.js"></script>\n'
    f'<script src="docs/assets/{START}"></script>',
)
_REDOC = _PAGE.format(
    head="", body='<redoc spec-url="openapi.json"></redoc>\n<script src="docs/assets/redoc.standalone.js"></script>'
)
# A null validatorUrl: the page would otherwise send the document's address to a server that is not ours.
_SWAGGER_START = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  layout: "BaseLayout",
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
  validatorUrl: null,
});
"""


def folder() -> Path:
    """Where the installed package keeps the assets."""
    return Path(str(files(fastapi_offline) / "static"))


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    return HTMLResponse(_SWAGGER, headers={"Content-Security-Policy": POLICY})


@router.get("/redoc", include_in_schema=False)
async def redoc() -> Response:
    return HTMLResponse(_REDOC, headers={"Content-Security-Policy": POLICY})


@router.get("/docs/assets/{name}", include_in_schema=False)
async def asset(name: str) -> Response:
    headers = {"Cache-Control": "public, max-age=3600"}
    if name == START:
        return Response(_SWAGGER_START, headers=headers, media_type="text/javascript")
    if name not in ASSETS:
        raise NotFound("There is no such file of the pages /docs and /redoc.")
    return FileResponse(folder() / name, headers=headers, media_type=ASSETS[name])
