"""The served description of the API, and whether the server keeps to it: schemathesis with every scope.

No 5xx, no status or body that the description does not know, whatever is sent.
"""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
EXAMPLES = {"nobody": 1, "registration": 1, "user": 3, "admin": 2, "session": 3}  # of each operation
SOCKET = "/api/v1/events"  # has tests of its own


def token_of(server, scope):
    if scope in ("nobody", "session"):
        return "" if scope == "nobody" else server.worker()._connection.token
    return server.worker_token if scope == "registration" else server.make_token(scope)


def impatient(case):
    """A claim that waits for work would only take time."""
    for body in (case.body, case.body.get("claim") if isinstance(case.body, dict) else None):
        if isinstance(body, dict) and isinstance(body.get("wait_seconds", 30), int | float):
            body["wait_seconds"] = 0
    return case


@pytest.mark.parametrize("scope", EXAMPLES)
def test_whatever_is_sent_the_answer_is_one_that_is_described(server, scope):
    token = token_of(server, scope)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    bounded = settings(
        max_examples=EXAMPLES[scope],
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    asked = []

    def ask(operation):
        def once(case):
            asked.append(operation.path)
            case = impatient(case) if operation.path.endswith(("/claims", "/complete")) else case
            case.call_and_validate(headers=headers, checks=CHECKS, timeout=30)

        bounded(given(case=operation.as_strategy())(once))()

    for found in schemathesis.openapi.from_url(f"{server.url}/openapi.json").get_all_operations():
        if found.ok().path != SOCKET:
            ask(found.ok())
    assert len(set(asked)) >= 25
