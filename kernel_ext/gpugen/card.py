"""The live card: core ipywidgets, so that nothing has to be installed in the front end."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from html import escape

import ipywidgets as w
from IPython.display import display

from gpugen import markup
from gpugen.ending import Ending, SweepEnding
from gpugen.pictures import thumbnail
from gpugen.plain_card import SilentCard
from gpugen.shown import Shown
from gpugen_protocol.errors import MissingExtra

_INTERVAL = 0.5  # seconds between two updates of three messages: with all else below ten messages a second
_SHARP = 2  # pixels sent for a CSS pixel of a finished image, for sharp screens


class Card(SilentCard):
    """The picture or pictures; under them what is drawn, how far it is, and a button to cancel.

    They are two outputs, as what stays is two: so nothing moves when the one takes the place of the other.

    Args:
        cancel: called when the button is clicked, in whatever thread the front end's message arrives.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        super().__init__()
        self._cancel = cancel
        self._drawn_at = 0.0
        self._alive = False  # until it is built: an interrupt may come before
        self._shown: dict[int, bytes] = {}

    def open(self, status: Shown, *, waits: bool) -> None:
        """Build the card and show it."""
        self._build(status)
        self._main = display(self._pictures, display_id=True)
        self._words = display(self._card, display_id=True)
        super().open(status, waits=waits)
        self._free_button()

    def draw(self, status: Shown) -> None:
        """Set what changed, if the last time was long enough ago; a finished image is shown at once."""
        if not self._alive:
            return
        self._draw_frames(status, final=True)
        now = time.monotonic()
        if now - self._drawn_at < _INTERVAL:
            return
        self._drawn_at = now
        self._state.value = markup.state(status)
        self._note.value = markup.note(status)
        self._spoken.value = markup.spoken(status)
        self._draw_bar(status.fraction)
        if status.canceling and not self._button.disabled:
            self._button.disabled = True
        self._draw_frames(status, final=False)

    def finish(self, ending: Ending | SweepEnding) -> None:
        """Replace the card by what stays, and let go of the widgets."""
        try:
            super().finish(ending)
        finally:
            self._close()

    def _close(self) -> None:
        if self._alive:
            self._alive = False
            for index in self._shown:
                self._frames[index].value = ""  # or who saves the states of widgets would save previews
            for widget in (*_family(self._pictures), *_family(self._card)):
                widget.close()

    def _build(self, status: Shown) -> None:
        self._board = status.board
        self._frames: list[w.HTML] = []
        for index in range(len(self._board.tiles)):  # sharing what is an object in the browser, too
            shared = {name: getattr(self._frames[0], name) for name in ("layout", "style") if self._frames}
            self._frames.append(w.HTML(self._place(status, index), **shared, **_class("tile")))
        columns = w.Layout(grid_template_columns=f"repeat({self._board.columns}, {self._board.width}px)")
        self._pictures = w.GridBox(self._frames, layout=columns, **_class("pictures"))
        self._state = w.HTML(markup.state(status), **_class("state"))
        self._note = w.HTML(markup.note(status))
        self._spoken = w.HTML(markup.spoken(status), **_class("spoken"))
        self._bar = w.FloatProgress(value=1.0, max=1.0, **_class("bar", "waiting"))
        hint = "Stop drawing (so does interrupting the kernel)"
        self._button = w.Button(description="Cancel", tooltip=hint, **_class("cancel"))
        self._button.on_click(lambda _: self._cancel())
        foot = w.HBox([self._button, self._note], **_class("foot"))
        head = w.HTML(markup.style() + markup.head(status))
        self._card = w.VBox([head, self._state, self._bar, foot, self._spoken], **_class("card"))
        self._alive = True

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

    def _draw_frames(self, status: Shown, *, final: bool) -> None:
        for index, frame in enumerate(self._frames):
            picture = status.picture(index)
            if picture is None:
                if self._shown.pop(index, None) is not None:  # another attempt starts over
                    frame.value = self._place(status, index)
            elif picture is not self._shown.get(index) and status.is_final(index) == final:
                self._shown[index] = picture
                frame.value = self._place(status, index, picture)

    def _place(self, status: Shown, index: int, picture: bytes | None = None) -> str:
        """A tile: the picture, or what stands where it will be, and the caption."""
        board, tile = self._board, self._board.tiles[index]
        inside = "" if picture is None else self._image(picture, status.is_final(index), tile.title)
        size = f"width: {board.width}px; height: {board.height}px"
        lines = "".join(f"<div>{escape(line)}</div>" for line in tile.lines) if board.caption else ""
        caption = f'<div class="gpugen-caption" style="height: {board.caption}px">{lines}</div>'
        return f'<div class="gpugen-frame" style="{size}">{inside}</div>{caption if lines else ""}'

    def _image(self, picture: bytes, final: bool, title: str) -> str:
        data = _small(picture, _SHARP * max(self._board.width, self._board.height)) if final else picture
        kind = "png" if data.startswith(b"\x89PNG") else "webp" if data[8:12] == b"WEBP" else "jpeg"
        return (
            f'<img decoding="sync" class="{"" if final else "gpugen-soft"}" alt="{escape(title)}" '
            f'title="{escape(title)}" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'
        )


def _class(*names: str) -> dict[str, tuple[str, ...]]:
    """The style classes of a widget that is being made; added later, each would be a message."""
    return {"_dom_classes": tuple(f"gpugen-{name}" for name in names)}


def _small(png: bytes, side: int) -> bytes:
    try:
        return thumbnail(png, side)
    except MissingExtra:
        return png


def _family(widget: w.Widget) -> Iterator[w.Widget]:
    """`widget`, all in it, and their layouts and styles: each is an object in the front end, too."""
    for child in getattr(widget, "children", ()):
        yield from _family(child)
    yield widget
    yield from filter(None, (getattr(widget, "layout", None), getattr(widget, "style", None)))
