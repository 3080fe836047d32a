import pytest

from gpugen_protocol import wire
from gpugen_protocol.errors import InvalidRequest
from gpugen_protocol.events import PhaseEvent
from gpugen_protocol.request import TaskRequest


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("{}", "prompt: is needed."),
        ('{"prompt": ""}', "prompt: must not be empty."),
        ('{"prompt": "a", "width": 65}', "width: must be a multiple of 8."),
        ('{"prompt": "a", "steps": 151}', "steps: must be <= 150."),
        ('{"prompt": "a", "n": "two"}', "n: must be int, not str."),
        ('{"prompt": "a", "scheduler": "foo"}', "scheduler: there is no 'foo'."),
        ('{"prompt": "a", "x": 1}', "x: is not a known field."),
        ("[]", "Must be object, not array."),
    ],
)
def test_a_complaint_is_a_sentence_that_names_the_field(body, sentence):
    with pytest.raises(InvalidRequest) as refused:
        wire.decode(body, TaskRequest)
    assert refused.value.message == sentence


def test_of_a_field_that_stands_twice_the_last_one_counts_and_each_is_checked():
    assert wire.decode('{"prompt": "a", "n": 1, "n": 2}', TaskRequest).n == 2
    with pytest.raises(InvalidRequest, match="n: must be int"):
        wire.decode('{"prompt": "a", "n": "1", "n": 2}', TaskRequest)


def test_what_is_no_json_says_so():
    with pytest.raises(InvalidRequest, match="not valid JSON"):
        wire.decode(b"{", TaskRequest)


def test_plain_values_become_types_and_back():
    request = wire.convert({"prompt": "a", "n": 2}, TaskRequest)
    assert wire.plain(request) == {"prompt": "a", "n": 2}
    with pytest.raises(InvalidRequest):
        wire.convert({"n": 2}, TaskRequest)


def test_a_body_nested_too_deeply_is_refused_like_any_other_bad_one():
    deep = b'{"type": "phase", "phase": "loading", "data": {"a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}}"
    with pytest.raises(InvalidRequest, match="too deeply"):
        wire.decode(deep, PhaseEvent)


def test_text_that_is_not_unicode_is_refused_in_words():
    with pytest.raises(InvalidRequest, match="not valid Unicode"):
        wire.encode(TaskRequest(prompt="caf\udce9"))
