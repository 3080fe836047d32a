"""Tests of the list of what may be asked for."""

from gpugen_server.autoscale.gce.offers import Catalogue, Kind, Offer, read_offers
from gpugen_server.autoscale.gce.quota import metric_of
from gpugen_server.autoscale.gce.trouble import Trouble

OFFERS = read_offers(
    "us-central1-a, us-central1-b,europe-west4-a", "g2-standard-4:spot,n1-standard-4+nvidia-tesla-t4x2"
)


def _trouble(reach, seconds=60.0, text="no"):
    return Trouble(kind="k", reach=reach, seconds=seconds, text=text)


def test_every_zone_is_tried_for_one_kind_before_the_next_kind():
    kinds = [Kind("g2-standard-4", spot=True), Kind("n1-standard-4", "nvidia-tesla-t4", 2)]
    zones = ["us-central1-a", "us-central1-b", "europe-west4-a"]
    assert tuple(Offer(zone, kind) for kind in kinds for zone in zones) == OFFERS
    assert str(OFFERS[0]) == "g2-standard-4 (spot) in us-central1-a"
    assert str(OFFERS[3]) == "n1-standard-4 with 2 x nvidia-tesla-t4 in us-central1-a"


def test_without_kinds_the_template_says_what_a_machine_is():
    assert read_offers("us-central1-a", "") == (Offer("us-central1-a", Kind()),)


def test_a_refusal_blocks_a_zone_a_region_or_everything_until_it_is_stale():
    for reach, following in (("zone", 1), ("region", 2)):
        catalogue = Catalogue(OFFERS)
        catalogue.avoid(OFFERS[0], _trouble(reach), 100.0)
        assert catalogue.first(101.0) == OFFERS[following]
        assert catalogue.first(160.0) == OFFERS[0]
    catalogue = Catalogue(OFFERS)
    catalogue.avoid(OFFERS[0], _trouble("everything"), 100.0)
    assert catalogue.first(101.0) is None
    assert catalogue.again_at(101.0) == 160.0
    assert catalogue.reasons(101.0) == ("no",)


def test_reasons_name_the_zones_they_are_about():
    catalogue = Catalogue(OFFERS[:3])
    catalogue.avoid(OFFERS[0], _trouble("region", text="no quota."), 100.0)
    catalogue.avoid(OFFERS[2], _trouble("zone", text="none left."), 100.0)
    assert catalogue.reasons(101.0) == (
        "us-central1-a, us-central1-b: no quota.",
        "europe-west4-a: none left.",
    )


def test_another_kind_in_the_same_zone_may_still_be_had():
    catalogue = Catalogue(OFFERS[::3])
    catalogue.avoid(OFFERS[0], _trouble("zone"), 100.0)
    assert catalogue.first(101.0) == OFFERS[3]
    assert catalogue.again_at(101.0) == 101.0


def test_spot_and_on_demand_count_against_different_quotas():
    assert metric_of(Kind("g2-standard-4")) == "NVIDIA_L4_GPUS"
    assert metric_of(Kind("g2-standard-4", spot=True)) == "PREEMPTIBLE_NVIDIA_L4_GPUS"
    assert metric_of(Kind("n1-standard-4", "nvidia-tesla-t4", 1)) == "NVIDIA_T4_GPUS"
    assert metric_of(Kind()) == ""
