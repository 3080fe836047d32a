"""How values are spread."""

import random

import pytest

from gpugen_server.simulate.spread import Spread


def test_percentiles_are_right_to_a_hundredth():
    dice = random.Random(1)
    values = sorted(dice.lognormvariate(2, 2) for _ in range(5000))
    spread = Spread()
    for value in values:
        spread.add(value)
    for share in (0.1, 0.5, 0.95, 0.99):
        assert spread.percentile(share) == pytest.approx(values[int(share * 5000) - 1], rel=0.011)
    assert spread.mean == pytest.approx(sum(values) / 5000)
    assert spread.most == values[-1]
    assert spread.share_over(20.0) == pytest.approx(sum(value > 20 for value in values) / 5000, abs=0.005)


def test_nothing_and_almost_nothing_are_nothing():
    spread = Spread()
    assert (spread.percentile(0.5), spread.mean, spread.share_over(0)) == (0.0, 0.0, 0.0)
    spread.add(0.0)
    spread.add(0.001)
    assert spread.percentile(1.0) == 0.0
