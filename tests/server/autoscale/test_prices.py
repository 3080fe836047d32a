"""Tests of the price table."""

import pytest

from gpugen_protocol.errors import Misconfigured
from gpugen_server.autoscale.gce.offers import Kind
from gpugen_server.autoscale.prices import read


def test_a_machine_costs_itself_and_its_gpus(tmp_path):
    prices = read(tmp_path)
    assert prices.hourly(Kind("g2-standard-4")) == pytest.approx(0.71)
    assert prices.hourly(Kind("g2-standard-4", spot=True)) < prices.hourly(Kind("g2-standard-4"))
    two = prices.hourly(Kind("n1-standard-4", "nvidia-tesla-t4", 2))
    assert two == pytest.approx(0.19 + 2 * 0.35)


def test_what_is_not_listed_is_never_free(tmp_path):
    prices = read(tmp_path)
    assert prices.hourly(Kind()) == 1.0
    assert prices.hourly(Kind("n1-standard-4", "nvidia-unheard-of", 1)) == 1.0


def test_own_prices_win_entry_by_entry(tmp_path):
    (tmp_path / "prices.toml").write_text('[machines]\n"g2-standard-4" = { hour = 0.5, spot = 0.1 }\n')
    prices = read(tmp_path)
    assert prices.hourly(Kind("g2-standard-4")) == 0.5
    assert prices.hourly(Kind("g2-standard-8")) == pytest.approx(0.85)
    assert prices.hourly(Kind()) == 1.0


@pytest.mark.parametrize("text", ["[machines", '[machines]\n"x" = { hour = "much" }', "[other]\na = 1"])
def test_a_table_that_cannot_be_used_is_named(tmp_path, text):
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(Misconfigured, match=r"prices\.toml cannot be used"):
        read(tmp_path)
