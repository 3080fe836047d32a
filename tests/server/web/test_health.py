import pytest

from gpugen_protocol.request import TaskRequest


def parts(answer):
    return {part["name"]: part["state"] for part in answer.json()["parts"]}


def test_health_is_public_and_tells_strangers_nothing(ask):
    answer = ask("GET", "/healthz", "")
    assert answer.json() == {"state": "ok", "version": answer.json()["version"], "parts": []}


def test_a_ready_server_names_its_parts(ask):
    answer = ask("GET", "/readyz", "")
    assert (answer.status_code, answer.json()["state"]) == (200, "ok")
    assert parts(answer) == {"database": "ok", "redis": "ok", "storage": "ok"}


def test_a_server_that_cannot_store_images_is_down(ask, server, monkeypatch):
    from gpugen_protocol.errors import Unavailable
    from gpugen_server.images.directory import Directory

    def broken(self):
        raise Unavailable

    monkeypatch.setattr(Directory, "check", broken)
    answer = ask("GET", "/readyz", "")
    assert (answer.status_code, parts(answer)["storage"]) == (503, "down")


def test_without_redis_the_server_is_degraded_and_still_ready(make_server, tmp_path):
    import requests

    server = make_server(redis=f"unix://{tmp_path}/none.sock")
    answer = requests.get(server.url + "/readyz", timeout=10)
    assert (answer.status_code, answer.json()["state"], parts(answer)["redis"]) == (
        200,
        "degraded",
        "degraded",
    )


def test_the_models_are_those_of_the_registry(tasks):
    listing = tasks.models()
    assert listing.default == "emoji"
    assert {"emoji", "sdxl"} <= {model.name for model in listing.models}


def test_models_of_the_data_directory_are_known(make_server, tmp_path):
    data = tmp_path / "own"
    data.mkdir()
    (data / "models.toml").write_text('[models.emoji]\ntitle = "mine"\n')
    models = {model.name: model for model in make_server(data=data).tasks().models().models}
    assert models["emoji"].title == "mine"


def test_stats_count(server, tasks, worker_api):
    tasks.submit(TaskRequest(prompt="a"))
    stats = tasks.stats()
    assert (stats.tasks, stats.workers, stats.watchers) == ({"queued": 1}, {"idle": 1}, 0)
    assert stats.uptime_seconds == pytest.approx(0, abs=60)
