"""Every address of the service, spelt once: filled in by the client, matched by the server."""

from __future__ import annotations

import re
from urllib.parse import quote

PREFIX = "/api/v1"


class Path:
    """An address with named holes, as in `/tasks/{id}`."""

    def __init__(self, template: str) -> None:
        self.template = template

    def __call__(self, **values: str | int) -> str:
        """The address with its holes filled, each value escaped."""
        return self.template.format(**{name: quote(str(value), safe="") for name, value in values.items()})

    @property
    def regex(self) -> str:
        """A pattern with one named group a hole, for the router."""
        return re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.template))

    def __repr__(self) -> str:
        return f"Path({self.template!r})"


TASKS = Path(f"{PREFIX}/tasks")
TASK = Path(f"{PREFIX}/tasks/{{id}}")
TASK_CANCEL = Path(f"{PREFIX}/tasks/{{id}}/cancel")
TASK_RETRY = Path(f"{PREFIX}/tasks/{{id}}/retry")
TASK_EVENTS = Path(f"{PREFIX}/tasks/{{id}}/events")
TASK_IMAGE = Path(f"{PREFIX}/tasks/{{id}}/images/{{index}}")
INPUTS = Path(f"{PREFIX}/inputs")
EVENTS = Path(f"{PREFIX}/events")
GROUP = Path(f"{PREFIX}/groups/{{id}}")
GROUP_CANCEL = Path(f"{PREFIX}/groups/{{id}}/cancel")
MODELS = Path(f"{PREFIX}/models")
WORKERS = Path(f"{PREFIX}/workers")
STATS = Path(f"{PREFIX}/stats")
TOKENS = Path(f"{PREFIX}/tokens")
TOKEN = Path(f"{PREFIX}/tokens/{{id}}")

WORKER_SESSIONS = Path(f"{PREFIX}/worker/sessions")
WORKER_CLAIMS = Path(f"{PREFIX}/worker/claims")
LEASE_EVENTS = Path(f"{PREFIX}/worker/leases/{{lease}}/events")
LEASE_INPUT = Path(f"{PREFIX}/worker/leases/{{lease}}/inputs/{{id}}")
LEASE_IMAGE = Path(f"{PREFIX}/worker/leases/{{lease}}/images/{{index}}")
LEASE_UPLOADS = Path(f"{PREFIX}/worker/leases/{{lease}}/uploads")
LEASE_UPLOADED = Path(f"{PREFIX}/worker/leases/{{lease}}/images/{{index}}/uploaded")
LEASE_COMPLETE = Path(f"{PREFIX}/worker/leases/{{lease}}/complete")
LEASE_FAIL = Path(f"{PREFIX}/worker/leases/{{lease}}/fail")
LEASE_RELEASE = Path(f"{PREFIX}/worker/leases/{{lease}}/release")

HEALTHZ = Path("/healthz")
READYZ = Path("/readyz")
METRICS = Path("/metrics")
OPENAPI = Path("/openapi.json")
DOCS = Path("/docs")
