"""Forget a finished task."""

from __future__ import annotations

from gpugen_protocol.errors import Conflict
from gpugen_protocol.state import TERMINAL
from gpugen_server.database import Store
from gpugen_server.queue import records, trash


def remove(store: Store, task: str, user: str | None) -> list[str]:
    """Delete the task, its events and its images' rows; gives the files that nobody needs any more.

    Raises:
        NotFound: `user` has no such task.
        Conflict: the task is not finished yet.
    """
    record = records.find(store, task, user, lock=True)
    if record.state not in TERMINAL:
        raise Conflict(f"Task {task} is still {record.state}.", hint="Cancel it first.")
    return forget(store, record.num)


def forget(store: Store, num: int) -> list[str]:
    """As `remove`, for a task (by its number) that is known to be finished."""
    files = [file for (file,) in store.rows("SELECT file FROM images WHERE task_num = ?", num)]
    trash.add(store, files)
    for table in ("images", "events", "task_inputs"):
        store.change(f"DELETE FROM {table} WHERE task_num = ?", num)  # noqa: S608
    # SQLite may give the number anew, and that task would not be the one this worker failed at.
    store.change("UPDATE workers SET failed_task = NULL WHERE failed_task = ?", num)
    for turn, attempt in store.rows("DELETE FROM tasks WHERE num = ? RETURNING turn, attempt", num):
        if attempt:  # the queue must not fall back behind a turn that it has served
            store.change("UPDATE past SET turn = ? WHERE turn < ?", turn, turn)
    return files
