"""Compute Engine on this machine: an HTTP server that answers Google's own client as the real one does.

with FakeCompute() as cloud:
    cloud.stock_out("us-central1-a")
    provider = ... endpoint cloud.url ...

Time is `cloud.clock()`, which a test may hold in its hand: operations end and machines are stopped by it.
Shapes are those of the REST reference (cloud.google.com/compute/docs/reference/rest/v1); what is refused is
refused as the real one does it, or as others have reported that it does.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PROJECT = "test-project"
TEMPLATE = "gpugen-worker"
STOCK_OUT = {
    "code": "ZONE_RESOURCE_POOL_EXHAUSTED",
    "message": "The zone does not have enough resources available to fulfill the request.",
}
_MACHINE = re.compile(r"/zones/(?P<zone>[^/]+)/instances/(?P<name>[^/]+)(?:/(?P<verb>\w+))?$")
_OPERATION = re.compile(r"/zones/[^/]+/operations/(?P<name>[^/]+)(?:/wait)?$")


@dataclass
class Vm:
    """A machine; `ends_at` is when the cloud itself ends it."""

    name: str
    zone: str
    body: dict[str, Any]
    status: str = "PROVISIONING"
    up_at: float | None = None
    ends_at: float | None = None

    @property
    def metadata(self) -> dict[str, str]:
        return {item["key"]: item["value"] for item in self.body["metadata"]["items"]}

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.body.get("labels", {}))


@dataclass
class Operation:
    """Something asked for; at `done_at` it has its effect, or its error."""

    name: str
    done_at: float
    effect: Callable[[], None]
    error: dict[str, Any] | None = None
    done: bool = False


@dataclass
class Fault:
    """What happens to one call: an HTTP error, or the connection is cut before or after it had its effect.

    With `hold` its answer waits for that; a call that is cut before its effect has come when it is held.
    """

    status: int = 0
    reason: str = ""
    message: str = ""
    cut: str = ""
    hold: threading.Event | None = None


@dataclass
class FakeCompute:
    """The cloud.

    Attributes:
        seconds: how long operations take.
        faults: the next calls of a kind (`insert`, `delete`, `list`, `get`, `operation`) end so.
        stock_outs: zones that have none, with the error that the operation ends with.
        said: how the HTTP status comes with such an error; 0: not at all.
        quotas: (region, metric) to (limit, usage).
        calls: how many of each kind came.
        peak: the most machines there were at any moment, by the value of their label.
    """

    clock: Callable[[], float] = time.time
    seconds: float = 0.0
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    stock_outs: dict[str, dict[str, str]] = field(default_factory=dict)
    said: int = 503
    quotas: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    vms: dict[str, Vm] = field(default_factory=dict)
    peak: Counter[str] = field(default_factory=Counter)
    template: dict[str, Any] = field(
        default_factory=lambda: {
            "machineType": "n1-standard-4",
            "metadata": {"items": [{"key": "startup-script", "value": "#!/bin/sh"}]},
            "scheduling": {"provisioningModel": "STANDARD"},
        }
    )
    _operations: dict[str, Operation] = field(default_factory=dict)
    _requests: dict[str, str] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __enter__(self) -> FakeCompute:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    # ---- what a test does to it ----

    def fail(self, call: str, **fault: Any) -> None:
        """The next call of this kind ends so."""
        self.faults.setdefault(call, []).append(Fault(**fault))

    def stock_out(self, zone: str, error: dict[str, str] | None = None) -> None:
        """From now on operations there end with `error`."""
        self.stock_outs[zone] = error or STOCK_OUT

    def running(self, label: str | None = None) -> list[Vm]:
        """What costs money."""
        self.settle()
        return [
            vm
            for vm in self.vms.values()
            if vm.status != "TERMINATED" and (label is None or vm.labels.get("gpugen") == label)
        ]

    def preempt(self, name: str) -> None:
        """Take a machine away as its template says: it is stopped, or deleted."""
        vm = self.vms[name]
        if vm.body["scheduling"]["instanceTerminationAction"] == "DELETE":
            del self.vms[name]
        else:
            vm.status = "TERMINATED"

    def power_off(self, name: str) -> None:
        """The guest shuts down."""
        self.vms[name].status = "TERMINATED"

    def vanish(self, name: str) -> None:
        """Somebody deletes it in the console."""
        del self.vms[name]

    def settle(self) -> None:
        """Let what is due happen."""
        with self._lock:
            now = self.clock()
            for operation in self._operations.values():
                if not operation.done and operation.done_at <= now:
                    operation.done = True
                    operation.effect()
            for vm in list(self.vms.values()):
                if vm.ends_at is not None and vm.ends_at <= now and vm.status == "RUNNING":
                    self.preempt(vm.name)

    # ---- calls ----

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        """Status and document."""
        with self._lock:
            self.settle()
            return self._route(method, path, query, body)

    def _route(  # noqa: PLR0911
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any]
    ) -> tuple[int, Any]:
        if path.endswith("/aggregated/instances"):
            return 200, self._list(query.get("filter", ""))
        if "/instanceTemplates/" in path:
            return self._template(path)
        if found := re.search(r"/regions/([^/]+)$", path):
            return 200, self._region(found[1])
        if found := _OPERATION.search(path):
            return self._operation(found["name"], path.endswith("/wait"))
        if method == "POST" and (found := re.search(r"/zones/([^/]+)/instances$", path)):
            return self._insert(found[1], query, body)
        if found := _MACHINE.search(path):
            return self._machine(method, found["zone"], found["name"], found["verb"], body)
        return _error(404, "notFound", f"{method} {path}")

    def _template(self, path: str) -> tuple[int, Any]:
        if not path.endswith(f"/{TEMPLATE}"):
            return _error(404, "notFound", f"The resource '{path}' was not found")
        return 200, {"name": TEMPLATE, "properties": self.template}

    def _region(self, region: str) -> dict[str, Any]:
        quotas = [
            {"metric": metric, "limit": limit, "usage": usage}
            for (where, metric), (limit, usage) in self.quotas.items()
            if where == region
        ]
        return {"name": region, "quotas": quotas}

    def _list(self, wanted: str) -> dict[str, Any]:
        key, _, value = wanted.removeprefix("labels.").partition("=")
        items: dict[str, Any] = {}
        for vm in self.vms.values():
            if vm.labels.get(key) == value:
                items.setdefault(f"zones/{vm.zone}", {"instances": []})["instances"].append(_view(vm))
        return {"items": items}

    def _operation(self, name: str, waits: bool = False) -> tuple[int, Any]:
        operation = self._operations.get(name)
        if operation is None:
            return _error(404, "notFound", f"operation {name} was not found")
        if waits:  # the real one holds the answer back until it is done, for two minutes at most
            operation.done_at = self.clock()
            self.settle()
        return 200, self._view(operation)

    def _insert(self, zone: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        if "sourceInstanceTemplate" not in query:
            return _error(400, "required", "no template")
        before = self._requests.get(query["requestId"])
        if before is not None:
            return self._operation(before)
        if body["name"] in self.vms:
            return _error(409, "alreadyExists", f"The resource '{body['name']}' already exists")
        vm = Vm(body["name"], zone, body)
        error = self.stock_outs.get(zone)
        if error is None:
            self.vms[vm.name] = vm
            label = vm.labels.get("gpugen", "")
            self.peak[label] = max(self.peak[label], len(self.running(label)))
        operation = self._begin(lambda: self._up(vm), error)
        self._requests[query["requestId"]] = operation.name
        return 200, self._view(operation)

    def _up(self, vm: Vm) -> None:
        if vm.name in self.vms:
            vm.status, vm.up_at = "RUNNING", self.clock()
            vm.ends_at = vm.up_at + int(vm.body["scheduling"]["maxRunDuration"]["seconds"])

    def _machine(
        self, method: str, zone: str, name: str, verb: str | None, body: dict[str, Any]
    ) -> tuple[int, Any]:
        vm = self.vms.get(name)
        if vm is None or vm.zone != zone:
            return _error(404, "notFound", f"The resource '{name}' was not found")
        if method == "GET":
            return 200, _view(vm)
        if method == "DELETE":
            vm.status = "STOPPING"
            return 200, self._view(self._begin(lambda: self.vms.pop(name, None)))
        if verb == "stop":
            vm.status = "STOPPING"
            return 200, self._view(self._begin(lambda: setattr(vm, "status", "TERMINATED")))
        if verb == "start":
            error = self.stock_outs.get(zone)
            return 200, self._view(self._begin(lambda: error or self._up(vm), error))
        vm.body["metadata"] = body
        return 200, self._view(self._begin(lambda: None))

    def _begin(self, effect: Callable[[], Any], error: dict[str, Any] | None = None) -> Operation:
        made = Operation(
            f"operation-{len(self._operations)}",
            self.clock() + self.seconds,
            effect if error is None else lambda: None,
            error,
        )
        self._operations[made.name] = made
        self.settle()
        return made

    def _view(self, operation: Operation) -> dict[str, Any]:
        found: dict[str, Any] = {"name": operation.name, "status": "DONE" if operation.done else "RUNNING"}
        if operation.done and operation.error is not None:
            found["error"] = {"errors": [operation.error]}
            if self.said:
                found |= {"httpErrorStatusCode": self.said, "httpErrorMessage": "SERVICE UNAVAILABLE"}
        return found


def _view(vm: Vm) -> dict[str, Any]:
    machine = vm.body.get("machineType", "n1-standard-4").rpartition("/")[2]
    return {
        **{key: vm.body[key] for key in ("labels", "metadata", "scheduling")},
        "name": vm.name,
        "zone": f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{vm.zone}",
        "machineType": f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{vm.zone}/machineTypes/{machine}",
        "status": vm.status,
    }


def _error(status: int, reason: str, message: str) -> tuple[int, Any]:
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return status, {"error": {"code": status, "message": message, "errors": errors}}


def _kind(method: str, path: str) -> str:
    if "/aggregated/" in path:
        return "list"
    if "/operations/" in path:
        return "operation"
    if method == "POST" and path.endswith("/instances"):
        return "insert"
    if method == "POST":
        return path.rpartition("/")[2]
    return "delete" if method == "DELETE" else "get"


def _handler(cloud: FakeCompute) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: the second of two would wait 40 ms for an ACK

        def _serve(self) -> None:
            address = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = _kind(self.command, address.path)
            cloud.calls[kind] += 1
            waiting = cloud.faults.get(kind)
            fault = waiting.pop(0) if waiting else Fault()
            if fault.hold is not None:
                fault.hold.wait(60)
            if fault.cut == "before":
                self._hang_up()
                return
            if fault.status:
                self._answer(*_error(fault.status, fault.reason, fault.message))
                return
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            answer = cloud.answer(self.command, address.path, query, json.loads(body) if body else {})
            if fault.cut == "after":
                self._hang_up()
            else:
                self._answer(*answer)

        do_GET = do_POST = do_DELETE = _serve

        def _answer(self, status: int, document: Any) -> None:
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: Any) -> None:
            """Tests look at what came, not at a log."""

    return Handler
