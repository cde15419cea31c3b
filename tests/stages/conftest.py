from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.stages.desk import Desk, open_desk


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """One desk for the tests of a module."""
    async with open_desk(tmp_path_factory.mktemp("pki")) as opened:
        yield opened
