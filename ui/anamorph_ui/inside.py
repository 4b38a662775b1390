"""Keep Gradio to what was uploaded to it: no other file is read, and nothing is fetched."""

from typing import Any, NoReturn

import gradio as gr
from gradio import processing_utils


class FetchError(ValueError):
    """Somebody gave an address in place of a file."""


async def _fetch_nothing(url: str, cache_dir: str) -> NoReturn:
    raise FetchError("an address was given; upload the file itself")


def _fetch_nothing_now(url: str, cache_dir: str) -> NoReturn:
    raise FetchError("an address was given; upload the file itself")


def shut_in(page: gr.Blocks) -> None:
    """Make a page refuse paths of the server and addresses where it expects uploaded files.

    Gradio checks paths only once `launch` was called, which a page that is mounted never is, and
    downloads whatever address it is given.
    """
    page.has_launched = True
    module: Any = processing_utils  # the components look these up there
    module.async_ssrf_protected_download = _fetch_nothing
    module.ssrf_protected_download = _fetch_nothing_now
    module.save_url_to_cache = _fetch_nothing_now
