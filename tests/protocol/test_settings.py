import pytest
from msgspec import Struct

from gpugen_protocol.errors import Misconfigured
from gpugen_protocol.settings import Duration, gather


class Example(Struct, frozen=True, kw_only=True):
    lease_seconds: Duration = 30.0
    idle: Duration | None = None
    port: int = 1
    private: bool = False


def read(flags=None, environ=None, file=None):
    return gather(Example, flags=flags or {}, environ=environ or {}, file=file or {})


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default():
    file, environ, flags = {"port": 2}, {"GPUGEN_PORT": "3"}, {"port": 4}
    assert read(flags, environ, file).port == 4
    assert read({"port": None}, environ, file).port == 3
    assert read(None, {"GPUGEN_PORT": ""}, file).port == 2
    assert read().port == 1


def test_zero_and_false_are_values():
    assert read({"port": 0, "private": False}, {"GPUGEN_PORT": "3", "GPUGEN_PRIVATE": "true"}) == Example(
        port=0
    )


def test_durations_are_read_in_every_place():
    assert read({"lease_seconds": "2m"}).lease_seconds == 120.0
    assert read(None, {"GPUGEN_IDLE": "1.5"}).idle == 1.5
    assert read(None, None, {"lease_seconds": 7}).lease_seconds == 7.0


@pytest.mark.parametrize("environ", [{"GPUGEN_PORT": "many"}, {"GPUGEN_LEASE_SECONDS": "soon"}])
def test_a_value_that_does_not_fit_is_one_sentence(environ):
    with pytest.raises(Misconfigured):
        read(None, environ)
