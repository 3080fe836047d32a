"""The server's role on Google Cloud: what its calls need, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CALLS = ROOT / "server" / "gpugen_server" / "autoscale" / "gce" / "cloud.py"
ROLE = ROOT / "deploy" / "gcp" / "server-role.yaml"
# As the reference of the Compute Engine API lists them for each method, for what our machines are made of.
NEEDED = {
    "instances.insert_unary": """
        compute.instances.create compute.instances.setLabels compute.instances.setMetadata
        compute.disks.create compute.images.useReadOnly
        compute.subnetworks.use compute.subnetworks.useExternalIp compute.instanceTemplates.useReadOnly
    """,
    "instances.start_unary": "compute.instances.start",
    "instances.stop_unary": "compute.instances.stop",
    "instances.delete_unary": "compute.instances.delete",
    "instances.get": "compute.instances.get",
    "instances.aggregated_list": "compute.instances.list",
    "instances.set_metadata_unary": "compute.instances.setMetadata",
    "templates.get": "compute.instanceTemplates.get",
    "operations.get": "compute.zoneOperations.get",
    "operations.wait": "compute.zoneOperations.get",
    "regions.get": "compute.regions.get",
}


def test_the_role_allows_what_the_server_calls_and_no_more() -> None:
    calls = set(re.findall(r"self\._((?:instances|operations|regions|templates)\.\w+)", CALLS.read_text()))
    allowed = re.findall(r"^  - (\S+)", ROLE.read_text(), re.MULTILINE)
    assert calls == NEEDED.keys()
    assert sorted(allowed) == sorted({each for needed in NEEDED.values() for each in needed.split()})
