"""Commands -> the body of one `batch`, and its answer -> the outcome of each command.

The protocol is in rest-protocol section 5. Each section of the answer holds only the commands that
have such a value, and is a list or an object, depending on how PHP happens to encode its keys.
"""

from collections.abc import Callable, Mapping

from relay.errors import CallError, MayHaveRunError, PermanentError, TransientError
from relay.portal.answers import UNREADABLE, Answer, error_of
from relay.portal.api import Commands, Json, Outcome
from relay.portal.encoding import to_json

BATCH = "batch"  # the method
MAX_COMMANDS = 50  # in one batch (rest-protocol section 5)
NOT_RUN = "NOT_RUN"  # our code: an earlier command of a halting batch failed


def body_of(queries: Mapping[str, str], *, halt: bool = False) -> bytes:
    """Return the body of a batch from {key: "method?query"}."""
    return to_json({"halt": int(halt), "cmd": dict(queries)})


def outcomes_of(
    methods: Mapping[str, str], answer: Answer, *, halt: bool = False
) -> dict[str, Outcome]:
    """Return {key: result or error} of the commands; raises MayHaveRunError for another answer."""
    sections = answer.result
    if not isinstance(sections, dict) or "result" not in sections:
        raise MayHaveRunError(BATCH, UNREADABLE, "not the answer of a batch")
    results = _section(sections["result"], methods)
    errors = _section(sections.get("result_error"), methods)
    outcomes: dict[str, Outcome] = {}
    failed = False
    for key, method in methods.items():
        if key in errors:
            outcomes[key] = error_of(method, errors[key])
            failed = True
        elif key in results:
            outcomes[key] = results[key]
        elif halt and failed:
            outcomes[key] = not_run(method)
        else:
            outcomes[key] = MayHaveRunError(method, UNREADABLE, "missing in the batch's answer")
    return outcomes


def times_of(methods: Mapping[str, str], answer: Answer) -> dict[str, Json]:
    """Return {key: `time`} of the commands that have one."""
    sections = answer.result if isinstance(answer.result, dict) else {}
    return _section(sections.get("result_time"), methods)


def _section(section: Json, keys: Mapping[str, str]) -> dict[str, Json]:
    """Return a section by key: PHP writes keys 0..n-1 as a list, and no keys as []."""
    if isinstance(section, dict):
        return section
    if isinstance(section, list):
        return {str(at): value for at, value in enumerate(section) if str(at) in keys}
    return {}


def not_run(method: str) -> PermanentError:
    """Return the error of a command that a halting batch did not run."""
    return PermanentError(method, NOT_RUN, "an earlier command failed")


def check_size(commands: Commands) -> None:
    """Raise ValueError for a batch without commands, or with too many."""
    if not 0 < len(commands) <= MAX_COMMANDS:
        raise ValueError(f"a batch holds 1 to {MAX_COMMANDS} commands, not {len(commands)}")


def raise_first(outcomes: dict[str, Outcome]) -> dict[str, Outcome]:
    """Return outcomes without errors; raises the first error among them."""
    for outcome in outcomes.values():
        if isinstance(outcome, CallError):
            raise outcome
    return outcomes


def error_of_call(error: CallError, method: str, *, mask: Callable[[str], str] = str) -> CallError:
    """Return a copy of a request's error for one call in it; `mask` hides the secret in texts."""
    code, description = mask(error.code), mask(error.description)
    if isinstance(error, TransientError):
        return TransientError(method, code, description, retry_after=error.retry_after)
    return type(error)(method, code, description)
