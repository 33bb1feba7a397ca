"""The pytest fixture `portal`: a simulated Bitrix24 in the test's own process.

The wheel brings it by itself. In this project `from local.portal.pytest_plugin import portal` does.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.portal.server import PortalServer


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "portal(seed=None, limits=False, empty=True): how the fixture `portal` begins"
    )


@pytest.fixture
def portal(request: pytest.FixtureRequest) -> Iterator[PortalServer]:
    """Start an empty portal without limits; `@pytest.mark.portal(seed="a.toml")` changes that.

    The path of a seed is relative to the test's file.
    """
    mark = request.node.get_closest_marker("portal")
    server = _server(request.path.parent, **(mark.kwargs if mark else {}))
    with server:
        yield server


def _server(
    folder: Path, *, seed: str = "", limits: bool = False, empty: bool = True
) -> PortalServer:
    server = PortalServer(limits=limits, seeded=not empty)
    if seed:
        server.seed(folder / seed)
    return server
