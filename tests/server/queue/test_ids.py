import re

from gpugen_server.queue import ids


def test_ulids_are_unique_lower_case_and_sort_by_time():
    made = [ids.ulid() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert all(re.fullmatch(r"[0-9a-hjkmnp-tv-z]{26}", one) for one in made)
    assert [one[:10] for one in made] == sorted(one[:10] for one in made)


def test_the_time_is_the_one_that_others_read_from_it(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1469918176.385)
    assert ids.ulid()[:10] == "01aryz6s41"


def test_a_lease_names_its_task():
    assert ids.task_of(f"{'0' * 26}-3-abc") == "0" * 26
