"""`%%gpugen` in a real kernel, run as papermill or nbconvert run a notebook."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from PIL import Image
from tests.fakes import DrawingWorker

from gpugen_protocol.worker import Failure

WIDGET = "application/vnd.jupyter.widget-view+json"
Run = Callable[..., Any]


def test_a_cell_leaves_its_picture_and_its_words_and_no_widget(
    notebook: Run, drawing_worker: DrawingWorker
) -> None:
    run = notebook("%%gpugen --seed 7 --size 64x64 --steps 3\na slice of pizza").run()

    assert run.error is None, run.error
    (png,) = run.data(0, "image/png")
    assert Image.open(io.BytesIO(base64.b64decode(png))).size == (64, 64)
    assert not run.data(0, WIDGET)
    text = run.data(0, "text/plain")[0]
    wanted = ("a slice of pizza", "emoji", "64×64", "3 steps", "seed 7", "Done in", drawing_worker.claimed[0])
    assert all(part in text for part in wanted), text
    assert all(part in run.data(0, "text/html")[0] for part in wanted)


def test_the_output_says_how_to_draw_it_again(notebook: Run, drawing_worker: DrawingWorker) -> None:
    run = notebook("%%gpugen --seed 7 --size 64x64 --steps 2\na cup").run()

    noted = run.cells[0].outputs[0]["metadata"]
    assert noted["image/png"]["width"] == 64
    assert noted["gpugen"]["task"] == drawing_worker.claimed[0]
    assert noted["gpugen"]["request"]["seed"] == 7


def test_several_images_become_one_sheet_and_the_file_stays_small(
    notebook: Run, drawing_worker: DrawingWorker
) -> None:
    run = notebook("%%gpugen -n 4 --seed 7 --size 256x256 --steps 4\na slice of pizza").run()

    assert run.error is None, run.error
    (png,) = run.data(0, "image/png")
    sheet = Image.open(io.BytesIO(base64.b64decode(png)))
    assert (sheet.width, sheet.height) == (512, 137), "four in a row with their seeds below"
    without_picture = len(json.dumps(run.nb)) - len(png)
    assert without_picture < 40_000  # states of closed widgets, but no previews in them


def test_a_typing_error_stops_the_notebook_with_one_line(notebook: Run) -> None:
    run = notebook("%%gpugen --sise 64x64\na cat", "print('went on')").run()

    assert run.error is not None
    assert "UsageError: unrecognized arguments: --sise" in run.text(0)
    assert "Traceback" not in run.text(0)
    assert not run.cells[1].outputs


def test_what_the_server_refuses_is_a_usage_error_with_its_hint(notebook: Run) -> None:
    run = notebook("%%gpugen -m emojy\na cat").run()

    assert "UsageError: There is no model 'emojy'. Did you mean emoji" in run.text(0)
    assert "Traceback" not in run.text(0)


def test_a_server_that_is_not_there_is_one_line(notebook: Run, free_port: int) -> None:
    run = notebook("%%gpugen\na cat", env={"GPUGEN_URL": f"http://127.0.0.1:{free_port}"}).run()

    (error,) = run.cells[0].outputs
    assert error["ename"] == "ServerUnreachable"
    assert len(error["traceback"]) == 1


def test_a_failed_task_leaves_a_card_and_stops_the_notebook(
    notebook: Run, drawing_worker: DrawingWorker
) -> None:
    drawing_worker.failure = Failure(
        code="out_of_memory", message="The GPU ran <b>out</b> of memory.", hint="Try --size 64x64."
    )
    run = notebook("%%gpugen -n 2 --steps 2 --size 64x64\na cat", "print('went on')").run()

    error = run.cells[0].outputs[-1]
    assert (error["ename"], len(error["traceback"])) == ("TaskFailed", 1)
    assert "out of memory" in error["evalue"].replace("<b>", "").replace("</b>", "")
    assert "Failed after 1 of 2 images" in run.data(0, "text/plain")[0]
    assert run.data(0, "image/png"), "the finished image stays"
    assert not run.cells[1].outputs


def test_a_task_that_draws_nothing_leaves_its_reason_escaped(
    notebook: Run, server: Any, wait_until: Run, in_background: Run
) -> None:
    run = notebook("%%gpugen -m sdxl\n<script>a cat</script>")
    thread = in_background(run.run)
    (task,) = wait_until(lambda: server.tasks().list().tasks)
    server.tasks().cancel(task.id)
    thread.join(30)

    html = "".join(run.data(0, "text/html"))
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert run.cells[0].outputs[-1]["ename"] == "TaskCanceled"


def test_interrupting_a_cell_cancels_its_task_keeps_what_is_finished_and_stops_the_notebook(
    notebook: Run, server: Any, drawing_worker: DrawingWorker, wait_until: Run, in_background: Run
) -> None:
    drawing_worker.seconds_per_step = 0.05
    run = notebook("%%gpugen -n 3 --steps 10 --size 64x64\na cat", "print('went on')")
    thread = in_background(run.run)
    wait_until(lambda: any(task.images for task in server.tasks().list().tasks), 30)
    run.interrupt()
    thread.join(30)

    (task,) = server.tasks().list().tasks
    assert task.state == "canceled"
    error = run.cells[0].outputs[-1]
    assert (error["ename"], len(error["traceback"])) == ("Cancelled", 1)
    assert "was canceled; 1 finished image stays" in error["evalue"]
    assert "Canceled after 1 of 3 images" in run.data(0, "text/plain")[0]
    assert run.data(0, "image/png")
    assert not run.data(0, WIDGET)
    assert not run.cells[1].outputs


def test_no_wait_goes_on_and_wait_brings_the_picture_to_the_cell_that_asked(
    notebook: Run, drawing_worker: DrawingWorker
) -> None:
    drawing_worker.seconds_per_step = 0.05
    run = notebook(
        "%%gpugen --no-wait -o task --steps 10 --size 64x64\na cat",
        "print(type(task).__name__, task.state)",
        "%gpugen wait",
        "%gpugen wait",
    ).run()

    assert run.error is None, run.error
    assert "Task queued" in run.text(1) or "Task running" in run.text(1)
    assert len(run.data(0, "image/png")) == 1
    html = "".join(run.data(0, "text/html"))
    assert "Done in" in html
    assert "waits for it" not in html
    assert not run.data(0, WIDGET)
    assert "nothing to wait for" in run.text(3)


def test_o_keeps_the_result_and_still_shows_it(notebook: Run, drawing_worker: DrawingWorker) -> None:
    run = notebook(
        "%%gpugen -n 2 --seed 7 --steps 2 --size 64x64 -o cats\na cat",
        "print(cats.seeds, [image.size for image in cats.images], cats.recipe.prompt)",
    ).run()

    assert run.error is None, run.error
    assert len(run.data(0, "image/png")) == 1
    assert run.text(1).strip() == "[7, 8] [(64, 64), (64, 64)] a cat"


def test_a_cell_does_not_fill_the_output_history(notebook: Run, drawing_worker: DrawingWorker) -> None:
    run = notebook("%gpugen a cat --steps 2 --size 64x64", "print(Out)").run()

    assert run.data(0, "image/png")
    assert run.text(1).strip() == "{}"


def test_config_sets_defaults_that_an_option_overrides(notebook: Run, drawing_worker: DrawingWorker) -> None:
    run = notebook(
        "%config GpuGenMagics.size = '64x32'\n%config GpuGenMagics.steps = 2",
        "%gpugen a cat",
        "%gpugen a cat --steps 3",
    ).run()

    assert "64×32 · 2 steps" in run.text(1)
    assert "64×32 · 3 steps" in run.text(2)


def test_progress_without_widgets_ends_the_same(notebook: Run, drawing_worker: DrawingWorker) -> None:
    run = notebook(
        "%gpugen a cat --steps 2 --size 64x64 --progress text",
        "%gpugen a cat --steps 2 --size 64x64 --progress none",
    ).run()

    for cell in (0, 1):
        assert [sorted(out["data"]) for out in run.cells[cell].outputs] == [
            ["image/png", "text/plain"],
            ["text/html", "text/plain"],
        ]


def test_without_ipywidgets_it_says_once_what_is_missing(
    notebook: Run, drawing_worker: DrawingWorker
) -> None:
    run = notebook(
        "import sys; sys.modules['ipywidgets'] = None",
        "%gpugen a cat --steps 2 --size 64x64",
        "%gpugen a cat --steps 2 --size 64x64",
    ).run()

    assert run.error is None, run.error
    assert "pip install ipywidgets" in run.text(1)
    assert "pip install ipywidgets" not in run.text(2)
    assert run.data(1, "image/png")
    assert run.data(2, "image/png")


def test_show_and_status_bring_back_a_task_of_another_day(
    notebook: Run, drawing_worker: DrawingWorker
) -> None:
    first = notebook("%gpugen a cat --steps 2 --size 64x64").run()
    task = drawing_worker.claimed[0]
    second = notebook(f"%gpugen status {task}", f"%gpugen show {task}", f"%gpugen cancel {task}").run()

    assert second.error is None, second.error
    assert second.text(0).startswith("a cat\n")
    assert second.data(1, "image/png") == first.data(0, "image/png")
    assert "is over already: it succeeded" in second.text(2)


def test_wait_follows_a_task_that_another_program_submitted(
    notebook: Run, server: Any, drawing_worker: DrawingWorker
) -> None:
    from gpugen_protocol.request import TaskRequest

    task = server.tasks().submit(TaskRequest(prompt="a dog", steps=2, width=64, height=64))
    run = notebook(f"%gpugen wait {task.id}").run()

    assert run.error is None, run.error
    assert run.data(0, "image/png")


def test_a_grid_becomes_one_labelled_sheet_and_a_result_with_its_values(
    notebook: Run, server: Any, drawing_worker: DrawingWorker
) -> None:
    run = notebook(
        "%%gpugen --grid steps=1,2 --grid guidance=3,5,7 --size 64x64 --seed 7 -o tried\na cat",
        "print(len(tried), tried.points[1], tried.seeds, len(tried.images), tried)",
    ).run()

    assert run.error is None, run.error
    (png,) = run.data(0, "image/png")
    sheet = Image.open(io.BytesIO(base64.b64decode(png)))
    assert sheet.size == (3 * 64 + 2 * 8, 2 * (64 + 30) + 8)
    text = run.data(0, "text/plain")[0]
    assert all(
        part in text for part in ("a cat", "64×64", "2 values of steps × 3 values of guidance", "6 images")
    ), text
    assert "6 {'steps': 1, 'guidance': 5.0} [7, 7, 7, 7, 7, 7] 6" in run.text(1)
    tasks = server.tasks().list().tasks
    assert len({task.group for task in tasks}) == 1
    assert {task.priority for task in tasks} == {-10}
    noted = run.cells[0].outputs[0]["metadata"]["gpugen"]
    assert [point["values"] for point in noted["points"]][5] == {"steps": 2, "guidance": 7.0}


def test_interrupting_a_grid_cancels_all_of_it_and_keeps_what_is_there(
    notebook: Run, server: Any, drawing_worker: DrawingWorker, wait_until: Run, in_background: Run
) -> None:
    drawing_worker.seconds_per_step = 0.05
    run = notebook("%%gpugen --grid seed=1,2,3 --steps 10 --size 64x64\na cat", "print('went on')")
    thread = in_background(run.run)
    wait_until(lambda: any(task.images for task in server.tasks().list().tasks), 30)
    run.interrupt()
    thread.join(30)

    assert {task.state for task in server.tasks().list().tasks} <= {"succeeded", "canceled"}
    assert run.cells[0].outputs[-1]["ename"] == "Cancelled"
    assert run.data(0, "image/png")
    assert not run.data(0, WIDGET)
    assert not run.cells[1].outputs


def test_a_large_grid_asks_first_and_where_nobody_can_be_asked_it_is_refused(
    notebook: Run, server: Any
) -> None:
    run = notebook("%%gpugen --grid seed={{range_}}\na cat").run()
    assert "There is no variable 'range_'" in run.text(0)
    run = notebook("many = range(65)\n%gpugen --grid seed={{many}} a cat").run()
    assert "This grid has 65 images, and nobody can be asked here" in run.text(0)
    assert not server.tasks().list().tasks


def test_an_image_to_start_from_comes_from_a_result_and_is_sent_once(
    notebook: Run, server: Any, drawing_worker: DrawingWorker
) -> None:
    run = notebook(
        "%gpugen --steps 2 --size 64x64 -o first a cat",
        "%%gpugen --init first --strength 0.5 --steps 4 --grid seed=1,2 --size 64x64\na dog",
        "%gpugen --init nothing a dog",
    ).run()

    second = server.tasks().list().tasks[:2]
    assert {task.request.init_image for task in second} == {second[0].request.init_image}
    assert second[0].request.init_image is not None
    assert "neither a variable nor a file 'nothing'" in run.text(2)


def test_replay_draws_the_same_and_says_so(notebook: Run, server: Any, drawing_worker: DrawingWorker) -> None:
    run = notebook(
        "%gpugen --steps 2 --size 64x64 --seed 7 -o first a cat",
        "(path,) = first.save('kept')\n%gpugen replay kept/a-cat-7.png",
        "get_ipython().run_line_magic('gpugen', f'replay {first.task.id}')",
        "%gpugen replay kept/nothing.png",
    ).run()

    assert "The pixels are identical." in run.text(1)
    assert "The pixels are identical." in run.text(2)
    assert "kept/nothing.png cannot be read" in run.text(3)


def test_lists_logs_retry_and_attach(notebook: Run, server: Any, drawing_worker: DrawingWorker) -> None:
    run = notebook(
        "%gpugen --steps 2 --size 64x64 a cat",
        "%gpugen history",
        "%gpugen logs",
        "%gpugen models",
        "%gpugen workers",
        "%gpugen queue",
        "%gpugen retry",
        "%gpugen attach",
        "%gpugen connect",
        "%gpugen help",
    ).run()

    assert run.error is None, run.error
    assert "a cat" in run.data(1, "text/html")[0]
    assert "succeeded" in run.text(2)
    assert "emoji (default)" in run.text(3)
    assert "fake" in run.text(4)
    assert "No task of yours" in run.text(5)
    assert run.data(6, "image/png") == run.data(7, "image/png")
    assert server.url in run.text(8)
    assert "--guidance" in run.text(9)


def test_attach_shows_a_running_task_live_and_goes_on(
    notebook: Run, server: Any, drawing_worker: DrawingWorker
) -> None:
    from gpugen_protocol.request import TaskRequest

    drawing_worker.seconds_per_step = 0.05
    task = server.tasks().submit(TaskRequest(prompt="a dog", steps=20, width=64, height=64))
    run = notebook(f"%gpugen attach {task.id}", "print('went on')", "%gpugen wait").run()
    assert run.error is None, run.error
    assert "went on" in run.text(1)
    assert len(run.data(0, "image/png")) == 1
    assert not run.data(0, WIDGET)


def test_what_is_embedded_can_be_chosen(notebook: Run, drawing_worker: DrawingWorker) -> None:
    run = notebook(
        "%gpugen --steps 1 --size 640x64 --seed 7 --embed none a cat",
        "%gpugen --steps 1 --size 640x64 --seed 7 --embed full a cat",
        "%gpugen --steps 1 --size 640x64 --seed 7 a cat",
    ).run()

    assert run.error is None, run.error
    assert "Done in" in run.data(0, "text/html")[0]
    assert not run.data(0, "image/png")
    sizes = [Image.open(io.BytesIO(base64.b64decode(run.data(cell, "image/png")[0]))).size for cell in (1, 2)]
    assert sizes == [(640, 64), (512, 51)]


def test_the_whole_traceback_is_shown_on_request(notebook: Run, free_port: int) -> None:
    away = {"GPUGEN_URL": f"http://127.0.0.1:{free_port}", "GPUGEN_MAGIC_SHORT_ERRORS": "False"}
    run = notebook("%%gpugen\na cat", env=away).run()
    assert "Traceback" in run.text(0)
    assert "ServerUnreachable" in run.text(0)


def test_a_token_that_is_not_allowed_is_one_line(notebook: Run) -> None:
    run = notebook("%%gpugen\na cat", env={"GPUGEN_TOKEN": "gg_wrong"}).run()
    (error,) = run.cells[0].outputs
    assert (error["ename"], len(error["traceback"])) == ("Unauthorized", 1)


def test_an_exported_page_shows_the_picture_and_no_widget(
    notebook: Run, drawing_worker: DrawingWorker
) -> None:
    from nbconvert import HTMLExporter, MarkdownExporter

    run = notebook("%%gpugen --seed 7 --size 64x64 --steps 3\na slice of pizza").run()
    page, resources = HTMLExporter().from_notebook_node(run.nb)
    assert 'src="data:image/png;base64,' in page
    assert "a slice of pizza" in page
    assert '<script type="application/vnd.jupyter.widget-view+json">' not in page
    text, resources = MarkdownExporter().from_notebook_node(run.nb)
    assert [name for name in resources["outputs"] if name.endswith(".png")]
    assert "FloatProgress" not in text


def test_papermill_fills_in_what_it_is_given_and_waits_for_the_image(
    kernel_env: dict[str, str], drawing_worker: DrawingWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import papermill

    cells = [nbformat.v4.new_code_cell(source) for source in ("thing = 'cat'", "%load_ext gpugen")]
    cells[0].metadata["tags"] = ["parameters"]
    cells.append(nbformat.v4.new_code_cell("%%gpugen --seed 7 --size 64x64 --steps 2\na {{thing}}"))
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "in.ipynb")
    for name, value in kernel_env.items():
        monkeypatch.setenv(name, value)

    papermill.execute_notebook(
        tmp_path / "in.ipynb",
        tmp_path / "out.ipynb",
        parameters={"thing": "slice of pizza"},
        kernel_name="python3",
        language="python",
        progress_bar=False,
    )

    done = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[-1]
    (shown,) = [out.data for out in done.outputs if "image/png" in out.get("data", {})]
    assert "a slice of pizza" in shown["text/plain"]


def test_a_grid_of_another_kernel_is_shown_again_with_its_values(
    notebook: Run, server: Any, drawing_worker: DrawingWorker
) -> None:
    first = notebook("%gpugen --grid steps=1,2 --grid guidance=3,5 --size 64x64 --seed 7 a cat").run()
    group = server.tasks().list().tasks[0].group
    run = notebook(f"%gpugen show {group}", f"%gpugen wait {group}", f"%gpugen retry {group}").run()

    assert run.data(0, "image/png") == run.data(1, "image/png")
    sizes = [
        Image.open(io.BytesIO(base64.b64decode(each.data(0, "image/png")[0]))).size for each in (first, run)
    ]
    assert sizes[0] == sizes[1]
    assert "2 values of steps × 2 values of guidance" in run.text(0)
    assert "is for one task" in run.text(2)
