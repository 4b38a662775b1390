"""The server: the page, and the same operations over HTTP."""

import os
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

import gradio as gr
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException  # FastAPI's own is one of these
from starlette.staticfiles import StaticFiles

from anamorph_ui.answers import refuse_unread
from anamorph_ui.guard import Guard
from anamorph_ui.inside import shut_in
from anamorph_ui.page import ASSETS, HEAD, build_page, make_theme
from anamorph_ui.reference import draw_reference
from anamorph_ui.tabs import find_tabs
from anamorph_ui.workshop import Workshop

_ABOUT: Final = (
    "One signal into another with deep generative models. Errors are one sentence: "
    '{"error": "..."}.'
)


def build_server(
    workshop: Workshop, *, users: Sequence[str] = (), hosts: Sequence[str] = ()
) -> Guard:
    """Return the application.

    Args:
        workshop: Where jobs are done.
        users: ``name:password`` each, without which nothing is answered; none for everybody.
        hosts: Names that the server answers to; none for any.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(workshop.page_folder)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    tabs, release = find_tabs(), version("anamorph")
    api = FastAPI(title="Anamorph", version=release, docs_url=None, redoc_url=None)
    routers = [module.make_router(workshop) for module in tabs.values()]
    for router in routers:
        api.include_router(router)

    @api.get("/healthz", tags=["Server"])
    def healthz() -> dict[str, Any]:
        """Say that the server works, how many models are loaded, and how many jobs there are."""
        loaded = len(workshop.shelf.loaded())
        return {"status": "ok", "loaded": loaded, "jobs": workshop.desk.length}

    @api.exception_handler(RequestValidationError)
    def refuse_request(request: Request, error: RequestValidationError) -> Response:
        return refuse_unread(error)

    @api.exception_handler(HTTPException)
    def refuse_other(request: Request, error: HTTPException) -> Response:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    @api.exception_handler(Exception)
    def fail(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": f"the server failed ({type(error).__name__})"}, 500)

    schema = get_openapi(title="Anamorph", version=release, routes=api.routes, description=_ABOUT)
    api.openapi_schema = schema  # made now: the page's own routes would fill it

    @api.get("/docs", include_in_schema=False, response_class=HTMLResponse)
    def docs() -> str:
        return draw_reference(schema)

    api.mount("/anamorph", StaticFiles(directory=ASSETS))  # /assets is Gradio's
    page = build_page(workshop, tabs)
    shut_in(page)
    gr.mount_gradio_app(
        api,
        page,
        path="/",
        show_error=False,
        footer_links=[],
        allowed_paths=[],
        max_file_size=workshop.limits.upload_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=make_theme(),
        css_paths=ASSETS / "page.css",
        head=HEAD,
    )
    return Guard(api, upload_bytes=workshop.limits.upload_bytes, users=users, hosts=hosts)
