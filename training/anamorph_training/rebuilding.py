"""Build a network again from what a run or a card keeps of its configuration."""

import dataclasses
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn


def rebuild(recipe: str, settings: Mapping[str, Any]) -> nn.Module:
    """Return a recipe's network with fresh weights.

    Args:
        recipe: Name of a module of ``anamorph_training.recipes``.
        settings: Its configuration without the paths, which are not kept and decide no network.

    Raises:
        ModuleNotFoundError: There is no such recipe.
        TypeError: The settings are not those of this recipe.
        ValueError: A setting is out of range.
    """
    module = import_module(f"anamorph_training.recipes.{recipe}")
    paths = {
        field.name: Path()
        for field in dataclasses.fields(module.Config)
        if "Path" in str(field.type) and field.default is dataclasses.MISSING
    }
    network: nn.Module = module.build(module.Config(**paths, **settings))
    return network
