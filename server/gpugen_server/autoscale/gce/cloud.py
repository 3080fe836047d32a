"""The calls to the Compute Engine API, and their answers in our words. Blocking: for threads only.

Only the `*_unary` methods are used, with an operations client of our own: the others poll Google's public
address whatever endpoint they were given. The library takes seconds and 100 MB to import, so that happens
when the first call is made, in the thread that makes it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

from msgspec import Struct

from gpugen_server.autoscale.gce.errors import Refused, Unclear, in_our_words
from gpugen_server.autoscale.gce.offers import Kind, Offer
from gpugen_server.autoscale.gce.trouble import Refusal

TIMEOUT = 30.0  # seconds for one answer
LABEL = "gpugen"  # its value names the server whose machines they are
_WAITS = 4  # answers to "is it done", each of which the cloud may hold back


class Instance(NamedTuple):
    """A machine as the cloud lists it; `machine` is its type."""

    name: str
    zone: str
    status: str
    machine: str = ""
    spot: bool = False


class Progress(NamedTuple):
    """How an operation stands: whether it has ended, and with which errors."""

    done: bool
    refusals: tuple[Refusal, ...] = ()


class Limits(Struct, frozen=True, kw_only=True):
    """What every machine is made with.

    Attributes:
        template: the instance template's name, or `projects/.../global/instanceTemplates/...`.
        max_run_seconds: after which the cloud ends the machine whatever happens here.
        keep: leave so many ended machines stopped, with their disks, instead of deleting them.
    """

    template: str
    max_run_seconds: int
    keep: int = 0


class Cloud:
    """One project. Every method raises Refused or Unclear.

    Args:
        label: the value of LABEL on all machines of this server.
        endpoint: another address for the API, with anonymous credentials; for tests.
    """

    def __init__(self, project: str, label: str, endpoint: str = "") -> None:
        self.project = project
        self._label = label
        self._endpoint = endpoint

    def insert(
        self, name: str, offer: Offer, limits: Limits, metadata: dict[str, str], request_id: str
    ) -> str:
        """Ask for a machine called `name`; gives the operation's name, "" if it is there already.

        What overrides a template replaces its lists whole (RFC 7396): its metadata is sent along with ours.
        """
        compute = self._compute
        owner, template = self._template(limits.template)
        kept = self.template_metadata(limits.template)
        request = compute.InsertInstanceRequest(
            project=self.project,
            zone=offer.zone,
            request_id=request_id,
            source_instance_template=f"projects/{owner}/global/instanceTemplates/{template}",
            instance_resource=self._resource(name, offer, limits, {**kept, **metadata}),
        )
        try:
            return self._begun(lambda: self._instances.insert_unary(request=request, timeout=TIMEOUT))
        except Refused as refused:
            if any(each.status == 409 for each in refused.refusals):
                return ""
            raise

    def start(self, name: str, zone: str, request_id: str) -> str:
        """Start a stopped machine; gives the operation's name."""
        request = {"project": self.project, "zone": zone, "instance": name, "request_id": request_id}
        return self._begun(lambda: self._instances.start_unary(request=request, timeout=TIMEOUT))

    def tell(self, name: str, zone: str, metadata: dict[str, str]) -> None:
        """Replace these entries of a machine's metadata; it is done when this returns."""
        compute = self._compute
        with in_our_words():
            found = self._instances.get(
                project=self.project, zone=zone, instance=name, retry=None, timeout=TIMEOUT
            )
            kept = [item for item in found.metadata.items if item.key not in metadata]
            items = [*kept, *(compute.Items(key=key, value=value) for key, value in metadata.items())]
            operation = self._instances.set_metadata_unary(
                project=self.project,
                zone=zone,
                instance=name,
                metadata_resource=compute.Metadata(fingerprint=found.metadata.fingerprint, items=items),
                timeout=TIMEOUT,
            )
        self._wait(operation.name, zone)

    def template_metadata(self, template: str) -> dict[str, str]:
        """What every machine of a template finds in its metadata: what to run, and from which image."""
        return {item.key: item.value for item in self._properties(*self._template(template)).metadata.items}

    def stop(self, name: str, zone: str) -> None:
        """Stop a machine; one that is not there is fine."""
        self._let_go(lambda: self._instances.stop_unary, name, zone)

    def delete(self, name: str, zone: str) -> None:
        """Delete a machine with its disk; one that is not there is fine."""
        self._let_go(lambda: self._instances.delete_unary, name, zone)

    def machines(self) -> list[Instance]:
        """Every machine of this server, in all zones."""
        request = {"project": self.project, "filter": f"labels.{LABEL}={self._label}"}
        with in_our_words():
            found = self._instances.aggregated_list(request=request, retry=None, timeout=TIMEOUT)
            return [_instance(each, scope) for scope, listed in found for each in listed.instances]

    def machine(self, name: str, zone: str) -> Instance | None:
        """One machine, whatever its labels; None if there is none: the list may be late, this is not."""
        try:
            with in_our_words():
                found = self._instances.get(
                    project=self.project, zone=zone, instance=name, retry=None, timeout=TIMEOUT
                )
        except Refused as refused:
            if any(each.status == 404 for each in refused.refusals):
                return None
            raise
        return _instance(found, zone)

    def operation(self, name: str, zone: str) -> Progress:
        """How an operation stands. One that ended with errors but without an HTTP status has failed too."""
        with in_our_words():
            found = self._operations.get(
                project=self.project, zone=zone, operation=name, retry=None, timeout=TIMEOUT
            )
        return self._progress(found)

    def quota_left(self, region: str, metric: str) -> float | None:
        """What is left of a region's quota; None where the API does not list it."""
        with in_our_words():
            found = self._regions.get(project=self.project, region=region, retry=None, timeout=TIMEOUT)
        return next((each.limit - each.usage for each in found.quotas if each.metric == metric), None)

    def kind(self, template: str) -> Kind:
        """What the machines of a template are."""
        properties = self._properties(*self._template(template))
        gpu = next(iter(properties.guest_accelerators), None)
        spot = properties.scheduling.provisioning_model == "SPOT"
        if gpu is None:
            return Kind(_last(properties.machine_type), spot=spot)
        return Kind(_last(properties.machine_type), _last(gpu.accelerator_type), gpu.accelerator_count, spot)

    def close(self) -> None:
        """Close the connections that were opened."""
        for name in ("_instances", "_operations", "_regions", "_templates"):
            client = self.__dict__.pop(name, None)
            if client is not None:
                client.transport.close()

    # ---- parts ----

    def _template(self, named: str) -> tuple[str, str]:
        """The project and the name of an instance template."""
        if "/" not in named:
            return self.project, named
        parts = named.split("/")
        return parts[1], parts[-1]

    def _properties(self, owner: str, template: str) -> Any:
        with in_our_words():
            return self._templates.get(
                project=owner, instance_template=template, retry=None, timeout=TIMEOUT
            ).properties

    def _progress(self, found: Any) -> Progress:
        errors = tuple(Refusal(each.code, each.message) for each in found.error.errors)
        if not errors and found.http_error_status_code:
            errors = (Refusal(str(found.http_error_status_code), found.http_error_message),)
        return Progress(found.status == self._compute.Operation.Status.DONE, errors)

    def _wait(self, operation: str, zone: str) -> None:
        for _ in range(_WAITS):
            with in_our_words():
                found = self._operations.wait(
                    project=self.project, zone=zone, operation=operation, retry=None, timeout=TIMEOUT
                )
            progress = self._progress(found)
            if progress.refusals:
                raise Refused(*progress.refusals)
            if progress.done:
                return
        raise Unclear("what was asked takes too long")

    def _let_go(self, method: Callable[[], Any], name: str, zone: str) -> None:
        try:
            with in_our_words():
                method()(project=self.project, zone=zone, instance=name, timeout=TIMEOUT)
        except Refused as refused:
            if any(each.status == 404 for each in refused.refusals):
                return
            raise

    def _begun(self, call: Callable[[], Any]) -> str:
        with in_our_words():
            return str(call().name)

    def _resource(self, name: str, offer: Offer, limits: Limits, metadata: dict[str, str]) -> Any:
        compute, kind = self._compute, offer.kind
        found = compute.Instance(
            name=name,
            labels={LABEL: self._label},
            metadata=compute.Metadata(
                items=[compute.Items(key=key, value=value) for key, value in metadata.items()]
            ),
            scheduling=self._scheduling(kind, limits),
        )
        if kind.machine:
            found.machine_type = f"zones/{offer.zone}/machineTypes/{kind.machine}"
        if kind.gpu:
            gpu = f"projects/{self.project}/zones/{offer.zone}/acceleratorTypes/{kind.gpu}"
            found.guest_accelerators = [
                compute.AcceleratorConfig(accelerator_type=gpu, accelerator_count=kind.count)
            ]
        return found

    def _scheduling(self, kind: Kind, limits: Limits) -> Any:
        """The brake that needs neither server nor worker: the cloud ends the machine by itself.

        Whether it is a spot machine the template says where it says what machine it is.
        """
        model = {"provisioning_model": "SPOT" if kind.spot else "STANDARD"} if kind.machine else {}
        return self._compute.Scheduling(
            **model,
            instance_termination_action="STOP" if limits.keep else "DELETE",
            max_run_duration=self._compute.Duration(seconds=limits.max_run_seconds),
            on_host_maintenance="TERMINATE",
            automatic_restart=False,
        )

    @cached_property
    def _compute(self) -> Any:
        from google.cloud import compute_v1

        return compute_v1

    @cached_property
    def _instances(self) -> Any:
        return self._compute.InstancesClient(**self._access())

    @cached_property
    def _operations(self) -> Any:
        return self._compute.ZoneOperationsClient(**self._access())

    @cached_property
    def _regions(self) -> Any:
        return self._compute.RegionsClient(**self._access())

    @cached_property
    def _templates(self) -> Any:
        return self._compute.InstanceTemplatesClient(**self._access())

    def _access(self) -> dict[str, Any]:
        if not self._endpoint:
            return {}
        from google.auth.credentials import AnonymousCredentials

        return {
            "credentials": AnonymousCredentials(),
            "client_options": {"api_endpoint": self._endpoint},
        }


def _instance(found: Any, scope: str) -> Instance:
    spot = found.scheduling.provisioning_model == "SPOT"
    return Instance(
        found.name, _last(found.zone) or _last(scope), found.status, _last(found.machine_type), spot
    )


def _last(path: str) -> str:
    return path.rpartition("/")[2]
