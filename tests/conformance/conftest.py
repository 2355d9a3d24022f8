"""The real API server; without one every test here is skipped, and says so in one line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.harness import Real, from_environment


@pytest.fixture(scope="session")
def _real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    found = from_environment(tmp_path_factory.mktemp("real"))
    if found is None:
        pytest.skip("no real API server to hold the product to: `make conformance` starts one")
    return found


@pytest.fixture
def real(_real: Real) -> Iterator[Real]:
    """The server, empty before and after."""
    _real.wipe()
    yield _real
    _real.wipe()
