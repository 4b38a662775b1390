"""The page: a tab for each task, laid out by its module."""

from pathlib import Path
from typing import Any, Final

import gradio as gr

from anamorph_ui.tabs import Page
from anamorph_ui.workshop import Workshop

ASSETS: Final = Path(__file__).parent / "assets"
_CLEAN_EVERY: Final = 300  # seconds
HEAD: Final = """
<script src="/anamorph/page.js" defer></script>
<meta name="viewport" content="width=device-width, initial-scale=1">
"""


def make_theme() -> gr.themes.Base:
    """Return a theme whose fonts are those that the reader's machine has."""
    return gr.themes.Default(
        primary_hue="teal",
        neutral_hue="slate",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )


def build_page(workshop: Workshop, tabs: dict[str, Any]) -> gr.Blocks:
    """Lay the page out.

    Args:
        workshop: Where jobs are done.
        tabs: Modules by name, as `tabs.find_tabs` returns them.
    """
    kept = (_CLEAN_EVERY, workshop.limits.kept_seconds)
    blocks: gr.Blocks
    with gr.Blocks(title="Anamorph", analytics_enabled=False, delete_cache=kept) as blocks:
        gr.Markdown("# Anamorph\nOne signal into another, on this machine.")
        with gr.Tabs(overflow_behavior="wrap") as all_tabs:
            page = Page(all_tabs, [])
            for name, module in tabs.items():
                with gr.Tab(module.TITLE, id=name):
                    page.panes.append(module.build(workshop, page))
    return blocks
