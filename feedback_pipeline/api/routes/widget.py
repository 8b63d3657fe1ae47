"""The script that adds thumbs and a correction box to any page, and a page that shows it."""

from fastapi import APIRouter, Request, Response

from feedback_pipeline.api.widget import Asset, demo_asset, widget_script

router = APIRouter(tags=["widget"])

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_FROM_ANYWHERE = {"Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*"}
_NOT_MODIFIED = {304: {"description": "The browser has this version."}}
_AN_HOUR = "public, max-age=3600"


@router.get(
    "/widget.js",
    response_class=Response,
    responses={200: {"content": {"text/javascript": {}}, "description": "The script."}, **_NOT_MODIFIED},
)
def widget(request: Request) -> Response:
    """The rating widget. Any page may load it; its requests are answered for the origins that are configured."""
    return _answer(request, widget_script(), {"Cache-Control": _AN_HOUR, **_FROM_ANYWHERE})


@router.get("/widget/demo", include_in_schema=False)
def demo(request: Request) -> Response:
    """A page with made-up answers to rate and correct. It gives nobody a token."""
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache", "Referrer-Policy": "no-referrer"}
    return _answer(request, demo_asset("demo.html"), headers)


@router.get("/widget/demo.js", include_in_schema=False)
def demo_script(request: Request) -> Response:
    """What the demo page does."""
    return _answer(request, demo_asset("demo.js"), {"Cache-Control": "no-cache"})


@router.get("/widget/demo.css", include_in_schema=False)
def demo_styles(request: Request) -> Response:
    """How the demo page looks."""
    return _answer(request, demo_asset("demo.css"), {"Cache-Control": "no-cache"})


def _answer(request: Request, asset: Asset, headers: dict[str, str]) -> Response:
    """Return ``asset``, or nothing but its headers to a browser that has it."""
    headers = {"ETag": asset.etag, "X-Content-Type-Options": "nosniff", **headers}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if asset.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)
