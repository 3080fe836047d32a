from datetime import datetime

from gpugen_protocol.clock import rfc3339


def test_moments_are_utc_with_milliseconds_and_read_back():
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert datetime.fromisoformat(rfc3339(1_700_000_000.25)).timestamp() == 1_700_000_000.25
