"""Fixtures that tests of the page share."""

from collections.abc import Iterator

import pytest
from tests.ui.servers import Running, running


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A server with the limits that it has by default."""
    with running() as one:
        yield one
