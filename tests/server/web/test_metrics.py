import pytest


def test_an_admin_reads_what_happened_and_how_things_stand(ask, server, lease):
    ask("GET", "/api/v1/tasks", "wrong")
    ask("ODD", "/api/v1/tasks")
    answer = ask("GET", "/metrics", server.make_token("admin"))
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'gpugen_http_requests_total{handler="Tasks",method="GET",status="401"} 1.0' in lines
    assert 'gpugen_http_requests_total{handler="Tasks",method="other",status="405"} 1.0' in lines
    assert 'gpugen_tasks{state="running"} 1.0' in lines
    assert 'gpugen_workers{state="busy"} 1.0' in lines
    assert "gpugen_cost_today_dollars 0.0" in lines


@pytest.mark.parametrize("scope", ["user", "worker"])
def test_the_numbers_are_not_for_everybody(ask, server, scope):
    assert ask("GET", "/metrics", server.make_token(scope)).status_code == 403
    assert ask("GET", "/metrics", "").status_code == 401
