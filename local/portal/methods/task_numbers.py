"""How the older core reads the number of a task, and what it says no with."""

from local.portal.call import Call
from local.portal.errors import RestError
from local.portal.php import int_or_none


def task_number(call: Call, *names: str) -> int:
    """Read the number of a task where the older core reads it."""
    given = call.get(*(names or ("taskid", "id")))
    if given is None:
        text = "CTaskItem All parameters in the constructor must have real class type"
        raise RestError("100", text)
    if int_or_none(given) is None:
        raise RestError("0", "wrong task id")
    return int_or_none(given) or 0
