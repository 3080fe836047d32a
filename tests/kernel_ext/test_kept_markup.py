"""The HTML in the notebook file: whole, escaped, and without anything a sanitizer would stumble over."""

from __future__ import annotations

from html.parser import HTMLParser

import msgspec
import pytest

from gpugen import kept_markup, markup
from gpugen.status import Status
from gpugen_protocol.errors import TaskFailed
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.task import Image, Task

NASTY = "<img src=x onerror=alert(1)> \"quoted\" & 'single' </style><script>"


def task(state: str = "succeeded") -> Task:
    request = ResolvedRequest(
        prompt=NASTY, model="emoji", width=64, height=64, steps=2, guidance=3.0, seed=7, n=1, scheduler="ddim"
    )
    return Task(id="t", state=state, phase="done", request=request, user="u", created_at="x")  # type: ignore[arg-type]


class Reader(HTMLParser):
    """Collects tags and text; complains about what is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"style", "title", "class", "type", "onclick", "role"}
        assert NASTY not in dict(attrs).get("onclick", "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "html",
    [
        kept_markup.caption(task()),
        kept_markup.failure(task("failed"), TaskFailed(NASTY, hint=NASTY)),
        kept_markup.failure(task("canceled"), TaskFailed(NASTY)),
        kept_markup.pending("t"),
        kept_markup.words(NASTY, NASTY, NASTY),
        markup.head(Status(task())),
        markup.state(Status(task())),
        markup.bar(0.5),
        markup.spoken(Status(task())),
    ],
    ids=["caption", "failure", "canceled", "pending", "words", "head", "state", "bar", "spoken"],
)
def test_what_people_wrote_never_becomes_markup(html: str) -> None:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    assert reader.tags <= {"div", "span", "code", "details", "summary", "pre", "button"}


def test_a_failure_says_what_happened_and_what_to_do() -> None:
    reader = Reader()
    reader.feed(kept_markup.failure(task("failed"), TaskFailed("Out of memory.", hint="Try --size 64x64.")))
    assert NASTY.split(maxsplit=1)[0] in reader.text
    assert "Out of memory.Try --size 64x64.task t" in reader.text


def test_the_style_sheet_of_the_card_is_whole() -> None:
    css = markup.style()
    assert css.startswith("<style>")
    assert css.count("{") == css.count("}") > 10


def test_what_the_worker_warned_of_stays_under_the_picture() -> None:
    assert "Not read: &lt;b&gt;" in kept_markup.caption(task(), 1.0, ("Not read: <b>",))


def test_full_images_are_linked_where_a_jupyter_server_passes_them_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Image(index=0, seed=7, width=64, height=64, bytes=1, sha256="")
    drawn = msgspec.structs.replace(task(), images=(one,))
    assert "href" not in kept_markup.caption(drawn)
    monkeypatch.setenv("GPUGEN_JUPYTER_URL", "/user/ann/")
    html = kept_markup.caption(drawn)
    assert html.count('href="/user/ann/gpugen/api/v1/tasks/t/images/0"') == 2
    assert 'download="gpugen-7.png"' in html
    monkeypatch.setenv("GPUGEN_JUPYTER_URL", "javascript:alert(1)//")
    assert "href" not in kept_markup.caption(drawn)


def test_the_recipe_is_the_cell_that_draws_it_again() -> None:
    from gpugen.arguments import parse

    first, rest = kept_markup.cell.of_request(task().request).split("\n", 1)
    asked = parse(first.removeprefix("%%gpugen "), rest, {}).request
    assert (asked.prompt, asked.seed, asked.width, asked.scheduler) == (NASTY, 7, 64, "ddim")
    special = msgspec.structs.replace(task().request, prompt="a {{x}}\n---\nb", negative_prompt="{{y}}")
    first, rest = kept_markup.cell.of_request(special).split("\n", 1)
    again = parse(first.removeprefix("%%gpugen "), rest, {}).request
    assert (again.prompt, again.negative_prompt) == (special.prompt, special.negative_prompt)


def test_the_images_of_a_grid_are_called_by_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUGEN_JUPYTER_URL", "/")
    one = Image(index=0, seed=7, width=64, height=64, bytes=1, sha256="")
    drawn = msgspec.structs.replace(task(), images=(one,))
    html = kept_markup.actions((drawn, drawn), ("<steps 1>", "steps 2"))
    assert 'aria-label="Full size, &lt;steps 1&gt;"' in html
    assert html.count("%%gpugen -m emoji") == 2
