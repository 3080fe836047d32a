"""Files of images whose rows are gone, until the image store has dropped them.

The rows end in one transaction, the files some time after: the store may be away, or the server be killed in
between. What is noted here is tried again; nothing else knows any more whose the files were.
"""

from __future__ import annotations

from collections.abc import Iterable

from gpugen_server.database import Store

MOST = 200  # files that are tried again at once
_REST = 60.0  # seconds for whoever has thrown them away to drop them


def add(store: Store, files: Iterable[str]) -> None:
    """Note that nobody needs `files` any more, in the transaction in which that becomes so."""
    for file in files:
        store.change(
            "INSERT INTO trash (file, since) VALUES (?, ?) ON CONFLICT (file) DO NOTHING", file, store.now
        )


def left(store: Store) -> list[str]:
    """Files that should be gone by now, the oldest first; at most MOST."""
    sql = "SELECT file FROM trash WHERE since < ? ORDER BY since, file LIMIT ?"
    return [file for (file,) in store.rows(sql, store.now - _REST, MOST)]


def gone(store: Store, files: Iterable[str]) -> None:
    """The store has dropped `files`."""
    for file in files:
        store.change("DELETE FROM trash WHERE file = ?", file)
