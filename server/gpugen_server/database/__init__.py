"""The one door to the database, whichever it is."""

from gpugen_server.database.database import Database
from gpugen_server.database.store import Store

__all__ = ["Database", "Store"]
