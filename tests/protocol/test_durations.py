import pytest

from gpugen_protocol.durations import seconds
from gpugen_protocol.errors import Misconfigured


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("1.5", 1.5), ("10m", 600), ("2h", 7200), ("1d", 86400), (" 3 s ", 3), (7, 7), (0.5, 0.5)],
)
def test_durations_are_read_as_people_write_them(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "10x", "-1", "1e3", "10m5s", "ten", "nan", "∞"])
def test_what_is_no_duration_is_named(text):
    with pytest.raises(Misconfigured, match="not a duration"):
        seconds(text)


@pytest.mark.parametrize("text", ["99999999d", "40000d", "9" * 400])
def test_no_duration_is_longer_than_a_hundred_years(text):
    with pytest.raises(Misconfigured, match="too long"):
        seconds(text)
