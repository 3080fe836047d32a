"""The scripted server of the worker's tests."""

from tests.worker.conftest import scripted

__all__ = ["scripted"]
