import msgspec
import pytest

from gpugen_protocol import errors, wire
from gpugen_protocol.errors import FieldError, GpugenError, InvalidRequest, from_problem


@pytest.mark.parametrize("cls", errors.error_classes().values(), ids=lambda cls: cls.__name__)
def test_every_error_survives_the_wire(cls):
    sent = cls("What happened.", hint="What to do.", errors=(FieldError("a", "b"),), retry_after=2.0)
    got = from_problem(wire.encode(sent.problem()), sent.status)
    assert type(got) is cls
    assert (got.message, got.hint, got.errors, got.retry_after) == (
        "What happened.",
        "What to do.",
        (FieldError("a", "b"),),
        2.0,
    )


def test_every_class_has_a_code_of_its_own_and_a_sentence():
    classes = [cls for cls in errors._tree(GpugenError) if cls.__module__ == errors.__name__]
    assert len({cls.code for cls in classes}) == len(classes)
    assert all(cls.__doc__ and cls.__doc__.endswith(".") for cls in classes)
    assert all("code" in vars(cls) for cls in classes)


def test_the_docstring_is_the_default_sentence():
    assert str(InvalidRequest()) == "The request is not valid."
    assert str(InvalidRequest("No.", hint="Try yes.")) == "No. Try yes."


@pytest.mark.parametrize(
    ("status", "cls"),
    [(401, errors.Unauthorized), (403, errors.Forbidden), (404, errors.NotFound), (503, errors.Unavailable)],
)
def test_a_page_of_a_proxy_is_understood_by_its_status(status, cls):
    assert type(from_problem(b"<html>", status)) is cls


def test_a_code_of_a_newer_server_is_still_an_error_with_its_sentence():
    problem = {"title": "t", "status": 418, "detail": "I am a teapot.", "code": "teapot"}
    got = from_problem(msgspec.json.encode(problem), 418)
    assert (type(got), got.message) == (GpugenError, "I am a teapot.")


def test_an_answer_without_explanation_names_its_status():
    assert "502" in from_problem(b"", 502).message


def test_a_problem_leaves_out_what_is_not_there():
    assert set(msgspec.json.decode(wire.encode(InvalidRequest().problem()))) == {
        "title",
        "status",
        "detail",
        "code",
    }


def test_a_log_line_is_one_line():
    assert errors.describe(ValueError("a\nb")) == "ValueError: a"


def test_a_special_case_without_a_code_of_its_own_does_not_take_the_place_of_what_it_is_a_case_of():
    class Special(errors.Unavailable):
        """A case."""

    body = msgspec.json.encode(errors.Unavailable("Later.").problem())
    assert type(errors.from_problem(body, 503)) is errors.Unavailable
    assert Special("Later.").code == "unavailable"
