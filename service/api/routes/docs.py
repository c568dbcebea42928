"""GET /docs: the interactive documentation."""

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response

from service.api.openapi import ASSETS, asset, docs_page

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Return the documentation page."""
    return docs_page(request.app.title)


@router.get("/openapi.json")
def openapi(request: Request) -> Response:
    """Return the OpenAPI document; in a thread, because the first request makes it."""
    return JSONResponse(request.app.openapi())


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """Return one of the page's files, or 404."""
    path = asset(name)
    if path is None:
        raise HTTPException(404)
    return FileResponse(path, media_type=ASSETS[name], headers={"cache-control": "public, max-age=86400"})
