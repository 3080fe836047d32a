"""Tests of what a refusal of the cloud means."""

import pytest

from gpugen_server.autoscale.gce.trouble import Refusal, understand

HERE = "projects/p/zones/us-central1-a/machineTypes/g9' does not exist in zone 'us-central1-a'."


@pytest.mark.parametrize(
    ("code", "message", "status", "kind", "reach"),
    [
        ("ZONE_RESOURCE_POOL_EXHAUSTED", "none left", 0, "stock-out", "zone"),
        ("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", "none left", 503, "stock-out", "zone"),
        ("UNSUPPORTED_OPERATION", "preempted while it was made", 0, "stock-out", "zone"),
        ("QUOTA_EXCEEDED", "Quota 'NVIDIA_L4_GPUS' exceeded", 0, "quota", "region"),
        ("quotaExceeded", "Quota 'GPUS_ALL_REGIONS' exceeded", 403, "quota", "everything"),
        ("forbidden", "Required permission", 403, "permission", "everything"),
        ("IAM_PERMISSION_DENIED", "no", 403, "permission", "everything"),
        ("authError", "no credentials", 401, "permission", "everything"),
        ("notFound", "The resource 'template' was not found", 404, "configuration", "everything"),
        ("invalid", f"Invalid value: '{HERE}", 400, "configuration", "zone"),
        ("RESOURCE_NOT_READY", "stopping", 0, "busy", "zone"),
        ("rateLimitExceeded", "slow down", 403, "busy", "zone"),
        ("429", "slow down", 429, "busy", "zone"),
        ("SOMETHING_NEW", "never seen", 0, "unknown", "zone"),
    ],
)
def test_zone_region_and_everything_are_told_apart(code, message, status, kind, reach):
    trouble = understand([Refusal(code, message, status)])
    assert (trouble.kind, trouble.reach) == (kind, reach)
    assert message.rstrip(".") in trouble.text
    assert code in trouble.text
    assert trouble.seconds > 0


def test_of_several_the_gravest_counts():
    one = Refusal("ZONE_RESOURCE_POOL_EXHAUSTED", "none left")
    other = Refusal("QUOTA_EXCEEDED", "Quota 'NVIDIA_L4_GPUS' exceeded")
    assert understand([one, other]).reach == "region"
