"""A bucket of Google Cloud Storage, as far as one machine can have one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gcs import FakeCloud


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[FakeCloud]:
    made = FakeCloud(tmp_path)
    yield made
    made.stop()
