"""Commands -> the body of one `batch`, and its answer -> what became of each command.

The protocol is in rest-protocol section 5: sections of the answer hold only the commands that have
such a value, and are lists or objects as PHP happens to encode them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from relay.errors import CallError, MayHaveRunError, PermanentError, TransientError
from relay.portal.answers import UNREADABLE, Answer, error_of
from relay.portal.encoding import to_json

Outcome = Any  # a result, or the CallError of a command
BATCH = "batch"  # the method
NOT_RUN = "NOT_RUN"  # ours: an earlier command of a halting batch failed


def body_of(commands: Mapping[str, str], *, halt: bool = False) -> bytes:
    """Return the body of a batch of `method?query` commands by their keys."""
    return to_json({"halt": int(halt), "cmd": dict(commands)})


def outcomes_of(methods: Mapping[str, str], answer: Answer, *, halt: bool = False) -> list[Outcome]:
    """Return the result or the error of each command, in their order.

    Raises MayHaveRunError where the answer as a whole is none of a batch.
    """
    sections = answer.result
    if not isinstance(sections, dict) or "result" not in sections:
        raise MayHaveRunError("batch", UNREADABLE, "not the answer of a batch")
    keys = list(methods)
    results = _section(sections["result"], keys)
    errors = _section(sections.get("result_error"), keys)
    outcomes: list[Outcome] = []
    failed = False
    for key, method in methods.items():
        if key in errors:
            outcomes.append(error_of(method, errors[key]))
            failed = True
        elif key in results:
            outcomes.append(results[key])
        elif halt and failed:
            outcomes.append(PermanentError(method, NOT_RUN, "an earlier command failed"))
        else:
            outcomes.append(MayHaveRunError(method, UNREADABLE, "missing in the batch's answer"))
    return outcomes


def times_of(methods: Mapping[str, str], answer: Answer) -> dict[str, Any]:
    """Return the `time` of each command that has one."""
    sections = answer.result if isinstance(answer.result, dict) else {}
    return _section(sections.get("result_time"), list(methods))


def _section(section: Any, keys: Sequence[str]) -> dict[str, Any]:
    """Return a section by key: PHP writes one whose keys are 0..n-1 as a list, an empty as []."""
    if isinstance(section, dict):
        return section
    if isinstance(section, list):
        return {str(at): value for at, value in enumerate(section) if str(at) in keys}
    return {}


def of_call(error: CallError, method: str, *, hide: Callable[[str], str] = str) -> CallError:
    """Return an error as one call's own: of the request it travelled in, with the same remedy."""
    code, description = hide(error.code), hide(error.description)
    if isinstance(error, TransientError):
        return TransientError(method, code, description, retry_after=error.retry_after)
    return type(error)(method, code, description)
