"""Chromium without a window, which is shown nothing but the server under test."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""


@contextmanager
def browsing(
    url: str,
    *,
    width: int = 1280,
    height: int = 900,
    dark: bool = False,
    microphone: Path | None = None,
) -> Iterator[Page]:
    """Open the page; afterwards nothing may have been asked of another host, and no script failed.

    Args:
        url: Of the server.
        width: Of the window.
        height: Of the window.
        dark: Ask for dark colours.
        microphone: What a microphone hears, a WAV file; None for beeps.
    """
    if not CHROMIUM:
        pytest.skip("needs Chromium: apt-get install chromium")
    arguments = [
        "--no-sandbox",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        "--autoplay-policy=no-user-gesture-required",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    if microphone:
        arguments.append(f"--use-file-for-fake-audio-capture={microphone}")
    elsewhere: list[str] = []
    failures: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            permissions=["microphone"],
            accept_downloads=True,
        )
        page = context.new_page()
        page.set_default_timeout(30_000)
        inside = (url, url.replace("http", "ws"), "data:", "blob:")
        page.on(
            "request",
            lambda one: elsewhere.append(one.url) if not one.url.startswith(inside) else None,
        )
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(url)
        page.get_by_role("tab", name="Voice").wait_for()
        yield page
        browser.close()
    assert elsewhere == []
    assert failures == []
