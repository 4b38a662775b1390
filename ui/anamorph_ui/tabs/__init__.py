"""The page's tabs: a module each, found by itself.

A module has ``ORDER`` (tabs stand by it, then by name), ``TITLE``, ``build(workshop, page)``, which
lays out the tab and returns its `Pane`, and ``make_router(workshop)``, which returns its HTTP
routes.
"""

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import gradio as gr


@dataclass(frozen=True)
class Pane:
    """What other tabs may know of one.

    Attributes:
        name: Of its module, which selects it.
        models: Where a model is chosen, by its task; empty for none.
    """

    name: str
    models: Mapping[str, gr.Dropdown] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """The page while it is laid out.

    Attributes:
        tabs: All of them; ``gr.Tabs(selected=name)`` goes to one.
        panes: Those that are laid out already.
    """

    tabs: gr.Tabs
    panes: list[Pane]


def find_tabs() -> dict[str, Any]:
    """Return the modules by name, in the order in which they stand."""
    found = {
        module.name: import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    }
    return dict(sorted(found.items(), key=lambda pair: (pair[1].ORDER, pair[0])))
