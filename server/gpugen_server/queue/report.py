"""What a worker tells of the task it holds."""

from __future__ import annotations

import msgspec

from gpugen_protocol import wire
from gpugen_protocol.errors import FieldError, InvalidRequest
from gpugen_protocol.events import Facts, LogReport, PhaseReport, PreviewReport, ProgressReport, Report
from gpugen_protocol.task import Progress
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.events.entry import Entry
from gpugen_server.queue import foreign, workers
from gpugen_server.queue import lease as leases
from gpugen_server.queue.lease import Held

_ONLY_OURS = frozenset({"reason", "position", "eta_seconds"})  # how a wait goes on
WORKER_PHASES = frozenset({"starting", "loading", "drawing", "decoding", "uploading"})


def report(store: Store, lease: str, worker: str, reports: tuple[Report, ...], seconds: float) -> Held:
    """Store and tell what happened; renews the lease for `seconds`.

    Raises:
        LeaseLost: the lease is not the current one.
        InvalidRequest: a report that does not fit the task.
    """
    held = leases.hold(store, lease, worker)
    workers.touch(store, worker)
    progress: str | None = None
    for index, said in enumerate(reports):
        _check(held, index, said)
        if isinstance(said, ProgressReport):
            progress = _as_progress(said)
        _tell(store, held, said)
    leases.renew(store, held, seconds, progress)
    return held


def is_live(reports: tuple[Report, ...]) -> bool:
    """Whether there is something to tell and nothing of it is kept: progress and previews."""
    return bool(reports) and all(isinstance(said, ProgressReport | PreviewReport) for said in reports)


def entries(held: Held, reports: tuple[Report, ...], now: float) -> list[Entry]:
    """What watchers are told of live `reports`, at `now` (seconds since the epoch).

    Raises:
        InvalidRequest: a report that does not fit the task.
    """
    for index, said in enumerate(reports):
        _check(held, index, said)
    return [log.live(held.task, said, now) for said in reports]


def _check(held: Held, index: int, said: Report) -> None:
    if isinstance(said, PhaseReport) and said.phase not in WORKER_PHASES:
        raise _refused(f"events[{index}].phase", f"only the server says {said.phase}")
    if isinstance(said, ProgressReport | PreviewReport) and said.image >= held.images:
        raise _refused(f"events[{index}].image", f"the task has {held.images} image(s)")


def _refused(path: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{path}: {message}.", errors=(FieldError(path, message),))


def _tell(store: Store, held: Held, said: Report) -> None:
    if isinstance(said, PhaseReport):
        _enter_phase(store, held, said)
    elif isinstance(said, LogReport):
        cleaned = msgspec.structs.replace(said, message=foreign.clean(said.message))
        log.append_report(store, held.task, cleaned)
    else:
        store.outbox.append(log.live(held.task, said, store.now))


def _enter_phase(store: Store, held: Held, said: PhaseReport) -> None:
    """A task that is asked to stop stays in the phase `canceling`."""
    if held.cancel:
        return
    text, data = foreign.line(said.text), _facts(said)
    store.change("UPDATE tasks SET phase = ?, phase_text = ? WHERE num = ?", said.phase, text, held.task.num)
    log.append_report(store, held.task, msgspec.structs.replace(said, text=text, data=data))


def _facts(said: PhaseReport) -> Facts:
    """What the phase tells programs, without what only the server can know."""
    return {
        foreign.line(name): foreign.line(fact) if isinstance(fact, str) else fact
        for name, fact in said.data.items()
        if name not in _ONLY_OURS
    }


def _as_progress(said: ProgressReport) -> str:
    progress = Progress(
        image=said.image, step=said.step, steps=said.steps, seconds_per_step=said.seconds_per_step
    )
    return wire.encode(progress).decode()
