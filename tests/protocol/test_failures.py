import ast
from pathlib import Path
from typing import get_args

from gpugen_protocol.failures import MEANINGS, FailureCode

ROOT = Path(__file__).parents[2]


def test_every_code_that_a_task_can_fail_with_has_its_meaning_and_no_other_has():
    sources = [path for folder in ("server", "worker") for path in (ROOT / folder).rglob("*.py")]
    given = {code for path in sources for code in _codes(ast.parse(path.read_text(encoding="utf-8")))}
    assert "poisoned" in given
    assert given | set(get_args(FailureCode)) == set(MEANINGS)


def _codes(tree):
    """The codes of all `TaskFailure(code="...")`."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if getattr(call.func, "id", "") == "TaskFailure"]
    values = [word.value for call in made for word in call.keywords if word.arg == "code"]
    return {value.value for value in values if isinstance(value, ast.Constant)}
