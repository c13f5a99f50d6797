"""`/docs`: Swagger UI for the API. All its files are served from here, none from another site."""

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>CMI: the HTTP API</title>
<link rel="stylesheet" href="{root}/docs/assets/swagger-ui.css">
<link rel="icon" href="{root}/docs/assets/favicon.png">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>The same as data: <a href="{root}/openapi.json">openapi.json</a></noscript>
<script src="{root}/docs/assets/swagger-ui-bundle.js"></script>
<script src="{root}/docs/start.js"></script>
</body>
</html>
"""
_SCRIPT = """SwaggerUIBundle({
  url: "%s/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
});
"""


def install(app: FastAPI) -> None:
    """Add the documentation pages to the application."""

    async def page(request: Request) -> HTMLResponse:
        """The page with Swagger UI."""
        html = _PAGE.format(root=request.scope.get("root_path", ""))
        return HTMLResponse(html, headers={"Content-Security-Policy": _POLICY})

    async def script(request: Request) -> Response:
        """The script that starts Swagger UI. The page's policy allows no inline scripts."""
        return Response(_SCRIPT % request.scope.get("root_path", ""), media_type="text/javascript")

    app.add_route("/docs", page, include_in_schema=False)
    app.add_route("/docs/start.js", script, include_in_schema=False)
    # Only the files of Swagger UI are used from this package, not its code.
    app.mount("/docs/assets", StaticFiles(packages=[("fastapi_offline", "static")]))
