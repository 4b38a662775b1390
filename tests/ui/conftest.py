"""Fixtures that tests of the page share."""

from collections.abc import Iterator

import pytest
from tests.ui.servers import Running, running
from tests.ui.zoos import tiny_zoo


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A server with the limits that it has by default."""
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose zoo has tiny models of codes, anomalies and outliers as well."""
    with tiny_zoo(tmp_path_factory.mktemp("zoo")), running() as one:
        yield one
