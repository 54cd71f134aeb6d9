"""What tests of hooks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.hooks.network import make_network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hooks.network import Network


@pytest.fixture
def network() -> Iterator[Network]:
    """A network namespace with a pair of interfaces, `left` and `right`."""
    yield from make_network()
