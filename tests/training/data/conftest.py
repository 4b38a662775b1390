"""What an ordinary machine lacks."""

from collections.abc import Iterator

import pytest


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """Let this process open 256 files."""
    resource = pytest.importorskip("resource", reason="this system has no such limit")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
