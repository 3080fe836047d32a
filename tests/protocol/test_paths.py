import re

import pytest

from gpugen_protocol import paths


@pytest.mark.parametrize("value", ["plain", "a/b", "a b", "?x=1", "#", "%2F", "ü", ".."])
def test_a_filled_address_matches_its_own_pattern_and_no_other(value):
    filled = paths.TASK(id=value)
    assert re.fullmatch(paths.TASK.regex, filled)
    assert not re.fullmatch(paths.TASK_CANCEL.regex, filled)


def test_holes_have_names():
    found = re.fullmatch(paths.TASK_IMAGE.regex, "/api/v1/tasks/abc/images/3")
    assert found.groupdict() == {"id": "abc", "index": "3"}


def test_no_two_addresses_are_the_same():
    spelt = [path.template for path in vars(paths).values() if isinstance(path, paths.Path)]
    assert len(set(spelt)) == len(spelt)
