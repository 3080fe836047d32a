"""The live card: core ipywidgets, so that nothing has to be installed in the front end."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from html import escape

import ipywidgets as w
from IPython.display import display

from gpugen import markup
from gpugen.ending import Ending
from gpugen.pictures import thumbnail
from gpugen.plain_card import SilentCard
from gpugen.status import Status
from gpugen_protocol.errors import MissingExtra

_INTERVAL = 0.3  # seconds between two updates of three messages: below ten messages a second
_SMALL, _LARGE = 128, 176  # pixels: longest side of a frame
_THUMBNAIL = 256  # pixels: what is sent of a finished image, for sharp screens


class Card(SilentCard):
    """Picture or pictures, what is drawn, how far it is, and a button to cancel.

    Args:
        cancel: called when the button is clicked, in whatever thread the front end's message arrives.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        super().__init__()
        self._cancel = cancel
        self._drawn_at = 0.0
        self._closed = False
        self._shown: dict[int, bytes] = {}

    def open(self, status: Status, *, waits: bool) -> None:
        """Build the card and show it."""
        self._build(status)
        self._main = display(self._card, display_id=True)
        super().open(status, waits=waits)
        self._free_button()

    def draw(self, status: Status) -> None:
        """Set what changed, if the last time was long enough ago."""
        now = time.monotonic()
        if now - self._drawn_at < _INTERVAL or self._closed:
            return
        self._drawn_at = now
        self._state.value = markup.state(status)
        self._note.value = markup.note(status)
        self._draw_bar(status.fraction)
        if status.canceling and not self._button.disabled:
            self._button.disabled = True
        for index, frame in enumerate(self._frames):
            self._draw_frame(index, frame, status)

    def finish(self, ending: Ending) -> None:
        """Replace the card by what stays, and let go of the widgets."""
        try:
            super().finish(ending)
        finally:
            self._close()

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            for widget in _family(self._card):
                if isinstance(widget, w.HTML):
                    widget.value = ""  # or a program that saves the states of widgets would save previews
                widget.close()

    def _build(self, status: Status) -> None:
        self._frames = [_frame(status, index) for index in range(status.task.request.n)]
        self._state = w.HTML(markup.state(status)).add_class("gpugen-state")
        self._note = w.HTML(markup.note(status))
        self._bar = w.FloatProgress(value=1.0, max=1.0)
        self._bar.add_class("gpugen-bar").add_class("gpugen-waiting")
        self._button = w.Button(
            description="Cancel", tooltip="Stop drawing (so does interrupting the kernel)"
        )
        self._button.add_class("gpugen-cancel").on_click(lambda _: self._cancel())
        foot = w.HBox([self._button, self._note]).add_class("gpugen-foot")
        head = w.HTML(markup.style() + markup.head(status))
        body = w.VBox([head, self._state, self._bar, foot]).add_class("gpugen-body")
        if len(self._frames) == 1:
            self._card = w.HBox([self._frames[0], body]).add_class("gpugen-card")
        else:
            grid = w.Box(self._frames).add_class("gpugen-pictures")
            self._card = w.VBox([body, grid]).add_class("gpugen-card")

    def _free_button(self) -> None:
        """Let a click be handled while the cell runs.

        JupyterLab sends a click to a thread of its own in the kernel. ipykernel 7.4 instead sends it to where
        the button last spoke from: to the main thread, which is busy until the cell ends.
        """
        getattr(self._button.comm, "__dict__", {}).pop("_reply_subshell_id", None)

    def _draw_bar(self, fraction: float | None) -> None:
        waiting = "gpugen-waiting" in self._bar._dom_classes
        if fraction is not None and waiting:
            self._bar.remove_class("gpugen-waiting")
        elif fraction is None and not waiting:
            self._bar.add_class("gpugen-waiting")
        self._bar.value = 1.0 if fraction is None else fraction

    def _draw_frame(self, index: int, frame: w.HTML, status: Status) -> None:
        picture = status.images.get(index) or status.previews.get(index)
        if picture is None:
            frame.value = _ghost(status, index)
        elif picture is not self._shown.get(index):
            self._shown[index] = picture
            frame.value = _picture(picture, status, index)


def _frame(status: Status, index: int) -> w.HTML:
    request = status.task.request
    longest = max(request.width, request.height)
    scale = (_SMALL if request.n > 1 or longest < 2 * _SMALL else _LARGE) / longest
    size = {"width": f"{request.width * scale:.0f}px", "height": f"{request.height * scale:.0f}px"}
    return w.HTML(_ghost(status, index), layout=size).add_class("gpugen-frame")


def _ghost(status: Status, index: int) -> str:
    """What stands in a frame that has no picture yet."""
    if status.task.request.n > 1:
        return f"seed {status.task.request.seeds[index]}"
    return "no preview yet"


def _picture(picture: bytes, status: Status, index: int) -> str:
    finished = index in status.images
    data = _small(picture) if finished else picture
    kind = "png" if data.startswith(b"\x89PNG") else "webp" if data[8:12] == b"WEBP" else "jpeg"
    request = status.task.request
    title = f"{request.prompt} (seed {request.seeds[index]})"
    return (
        f'<img decoding="sync" class="{"" if finished else "gpugen-soft"}" alt="{escape(title)}" '
        f'title="{escape(title)}" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'
    )


def _small(png: bytes) -> bytes:
    try:
        return thumbnail(png, _THUMBNAIL)
    except MissingExtra:
        return png


def _family(widget: w.Widget) -> Iterator[w.Widget]:
    """`widget`, all in it, and their layouts and styles: each is an object in the front end, too."""
    for child in getattr(widget, "children", ()):
        yield from _family(child)
    yield widget
    yield from filter(None, (getattr(widget, "layout", None), getattr(widget, "style", None)))
