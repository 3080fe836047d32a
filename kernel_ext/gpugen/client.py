"""The Python door to gpugen: submit a prompt, follow the task, get its images."""

from __future__ import annotations

import contextlib
import difflib
import re
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, get_args

import msgspec

from gpugen.result import Result
from gpugen.sending import Sending
from gpugen_client.connection import Connection
from gpugen_client.tasks import Tasks
from gpugen_client.updates import Updates
from gpugen_client.watch import Watch
from gpugen_protocol import task as records
from gpugen_protocol import wire
from gpugen_protocol.errors import (
    FieldError,
    GpugenError,
    InvalidRequest,
    TaskCanceled,
    TaskFailed,
)
from gpugen_protocol.events import Event
from gpugen_protocol.models import Model
from gpugen_protocol.request import SIZE_MULTIPLE, SchedulerName, TaskRequest
from gpugen_protocol.worker import Worker

_IMAGES = ("init_image", "mask_image")
_LATER = "0" * 26  # stands for the id of an image that is sent once all else is checked
_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")


class Client:
    """A gpugen server as one user sees it.

    Args:
        url: the server, such as `http://127.0.0.1:8787`. None: `GPUGEN_URL`, the config file, or this user's
            private server, which is started if need be.
        token: None: `GPUGEN_TOKEN`, `GPUGEN_TOKEN_FILE`, the config file or the private server's own.
        connection: instead of both, a connection that is already there.

    Raises:
        ServerUnreachable, LocalServerFailed, Misconfigured: there is no server to talk to.
    """

    def __init__(
        self, url: str | None = None, token: str | None = None, *, connection: Connection | None = None
    ) -> None:
        self.connection = connection or _connect(url, token)
        self.api = Tasks(self.connection)
        self.updates = Updates(self.connection)

    def generate(self, prompt: str, **request: Any) -> Result:
        """Draw `prompt` and wait for the images.

        Args:
            prompt: what the image shows.
            request: `negative_prompt model width height steps guidance seed n scheduler priority group
                strength`; what is left out is taken from the model's defaults. `init_image` is an image to
                start from, `mask_image` one that is white where it may draw: PIL, numpy, a `Result`, bytes,
                a path, or the id of one that was sent before.

        Raises:
            InvalidRequest: a field is unknown or out of its bounds; nothing was submitted.
            TaskFailed, TaskCanceled: no images, or not all of them.
            KeyboardInterrupt: after the task was canceled on the server.
        """
        with Sending() as sending:
            return self._put(sending, prompt, request).wait()

    def submit(self, prompt: str, **request: Any) -> Task:
        """Put `prompt` in the queue and go on; arguments and errors as for `generate`."""
        with Sending() as sending:
            return self._put(sending, prompt, request)

    def _put(self, sending: Sending, prompt: str, request: dict[str, Any]) -> Task:
        images = {name: request[name] for name in _IMAGES if request.get(name) is not None}
        fits = build_request(
            prompt, **{**request, **dict.fromkeys(images, _LATER)}
        )  # before anything is sent
        return sending.send(self, self.with_images(fits, **images))

    def with_images(self, request: TaskRequest, **images: Any) -> TaskRequest:
        """`request` with the ids of its `init_image` and `mask_image`, which are sent to the server.

        Raises:
            InvalidRequest: one of them is no image.
        """
        return msgspec.structs.replace(
            request, **{name: self._input(image) for name, image in images.items()}
        )

    def _input(self, image: Any) -> str:
        from gpugen.sources import image_bytes

        if isinstance(image, str) and _ID.fullmatch(image):
            return image
        return self.api.add_input(image_bytes(image)).id

    def send(self, request: TaskRequest, key: str | None = None) -> Task:
        """Submit a request that is already checked (see `build_request`), once for each `key`."""
        return Task(self, self.api.submit(request, key))

    def retry(self, task_id: str, key: str | None = None) -> Task:
        """A new task with the request of that one, seed included, once for each `key`.

        Raises:
            NotFound: there is no such task.
            Conflict: it is not finished yet.
        """
        return Task(self, self.api.retry(task_id, key))

    def task(self, task_id: str) -> Task:
        """The task of that id, submitted by whomever of this user's programs.

        Raises:
            NotFound: there is none, or it is another user's.
        """
        return Task(self, self.api.get(task_id))

    def models(self) -> list[Model]:
        """The models the server knows."""
        return list(self.api.models().models)

    def workers(self) -> list[Worker]:
        """The workers that showed themselves lately."""
        return list(self.api.workers().workers)

    def close(self) -> None:
        """Let go of the websocket; tasks go on."""
        self.updates.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<gpugen.Client {self.connection.url}>"


class Task:
    """A submitted task.

    Attributes:
        id: its id.
        record: what the server last said of it (see `refresh`).
    """

    def __init__(self, client: Client, record: records.Task) -> None:
        self._client = client
        self.record = record
        self.id = record.id

    @property
    def state(self) -> str:
        """`queued`, `running`, `succeeded`, `failed` or `canceled`, as of now."""
        return self.refresh().state

    def refresh(self) -> records.Task:
        """Ask the server again; a finished task never changes and is not asked for."""
        if not self.record.finished:
            self.record = self._client.api.get(self.id)
        return self.record

    def watch(self, after: int = 0) -> Watch:
        """Its events with time-outs: see `gpugen_client.watch.Watch`."""
        return self._client.updates.watch(self.id, after)

    def events(self, after: int = 0) -> Iterator[Event]:
        """Its events from number `after` + 1 on, as they happen, up to the terminal `state`."""
        with contextlib.closing(self.watch(after)) as watch:
            yield from watch

    def wait(self, timeout: float | None = None) -> Result:
        """Its images, when it is done.

        Raises:
            TaskFailed, TaskCanceled: it ended otherwise.
            TimeoutError: it is not done after `timeout` seconds; it goes on.
        """
        if not self.record.finished:
            self._await_end(timeout)
        return self.result()

    def result(self) -> Result:
        """Its images if it succeeded; raises as `wait`, and TimeoutError if it is not done."""
        record = self.refresh()
        if not record.finished:
            raise TimeoutError(f"Task {self.id} is {record.state}.")
        if record.state != "succeeded":
            raise ending(record)
        return Result(self._client.api, record)

    def cancel(self) -> records.Task:
        """Ask for it to stop: at once if it is queued, within one step if it runs."""
        self.record = self._client.api.cancel(self.id)
        return self.record

    def settle(self, timeout: float) -> None:
        """Give a canceled task up to `timeout` seconds to stop; if it does not, `record` says so."""
        with contextlib.suppress(GpugenError, TimeoutError):
            if not self.record.finished:
                self._await_end(timeout)
                self.refresh()

    @property
    def images(self) -> list[Any]:
        """The images finished so far, as PIL images."""
        return Result(self._client.api, self.refresh()).images

    def __repr__(self) -> str:
        return f"<gpugen.Task {self.id} {self.record.state}: {self.record.request.prompt!r}>"

    def _await_end(self, timeout: float | None) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        with contextlib.closing(self.watch()) as watch:
            while not watch.done:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"Task {self.id} is not done after {timeout:g} s; it goes on.")
                watch.get(left)


def build_request(prompt: str, **request: Any) -> TaskRequest:
    """The checked request.

    Raises:
        InvalidRequest: a keyword that is no field (the hint names the nearest), or a value out of bounds.
    """
    for name in request:
        if name not in TaskRequest.__struct_fields__:
            raise _unknown_field(name)
    try:
        return wire.convert({"prompt": prompt, **request}, TaskRequest)
    except InvalidRequest as error:
        error.hint = error.hint or _advice(error, request)
        raise


def _advice(error: InvalidRequest, request: dict[str, Any]) -> str:
    """What to ask for instead, where that can be said."""
    path = error.errors[0].path if error.errors else ""
    value = request.get(path)
    if path == "scheduler":
        return f"Write one of {', '.join(get_args(SchedulerName))}."
    if path in {"width", "height"} and isinstance(value, int) and value % SIZE_MULTIPLE:
        lower = max(SIZE_MULTIPLE, value // SIZE_MULTIPLE * SIZE_MULTIPLE)
        return f"The nearest are {lower} and {lower + SIZE_MULTIPLE}."
    return ""


def _unknown_field(name: str) -> InvalidRequest:
    fields = TaskRequest.__struct_fields__
    near = difflib.get_close_matches(name, fields, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"A request may have {', '.join(fields)}."
    return InvalidRequest(
        f"A request has no field {name!r}.", hint=hint, errors=(FieldError(name, "is not a known field"),)
    )


def ending(record: records.Task) -> TaskFailed | TaskCanceled:
    """The error that a task stands for which ended, but not with all of its images."""
    failure = record.error
    error: TaskFailed | TaskCanceled
    if record.state == "canceled" or failure is None:
        error = TaskCanceled(f"Task {record.id} was canceled.", hint=_rest(record))
    else:
        error = TaskFailed(failure.message, hint=failure.hint or _rest(record))
        error.reason = failure.code
    error.task = record.id
    return error


def _rest(record: records.Task) -> str:
    """What can still be had of a task that did not succeed."""
    if not record.images:
        return ""
    return f"{len(record.images)} of {record.request.n} images were finished: `gpugen images {record.id}`."


def _connect(url: str | None, token: str | None) -> Connection:
    from gpugen_client.access import connect  # where a private server is found or started

    return connect(url, token)
