"""The calls that may be sent twice if it is unknown whether they ran, and the reasons.

| call | may run twice | reason |
|---|---|---|
| `profile`, `scope`, `*.get*`, `*.list`, `*.fields`, … | yes | it only reads |
| `*.set` | yes | it replaces the whole value |
| `crm.*.update`, `tasks.task.update` | yes | equal values save nothing (rest-protocol 9.3) |
| an update of phones, e-mails or files | no | a second run adds a second row or file (9.2) |
| `*.add`, `*.import`, `im.*`, `bizproc.*` | no | a second item, message or workflow |
| `*.delete` | no | the second answer, "not found", would hide the success of the first |
| every other call | no | unknown |

Names of user fields tell nothing, so a file is recognised by its value: [name, content], base64
text, or a disk id such as `n123`.
"""

import re
from collections.abc import Mapping, Sequence

from relay.portal.api import Params

_READS = frozenset(
    {
        *("profile", "scope", "methods", "events", "time", "current", "list", "fields", "search"),
        *("count", "types", "findbycomm"),
    }
)
# Fields whose update adds a row for each value without an id.
_ADDS_ROWS = frozenset({"fm", "phone", "email", "web", "im", "link", "file", "files"})
_FILE_NAME = re.compile(r"[^/\n]*\.[A-Za-z0-9]{1,8}")
# A disk id, or base64 that is longer than a word.
_FILE = re.compile(r"n\d+|(?:data:[^,]*,)?[A-Za-z0-9+/=\r\n]{64,}")


def is_read(method: str) -> bool:
    """Return whether a method changes nothing in the portal."""
    last = method.lower().rpartition(".")[2]
    return last in _READS or last.startswith("get")


def is_idempotent(method: str, params: Params) -> bool:
    """Return whether two runs of a call leave the portal as one run does."""
    method = method.lower()
    last = method.rpartition(".")[2]
    if is_read(method) or last == "set":
        return True
    if last == "update" and method.startswith(("crm.", "tasks.task.")):
        fields = next((value for name, value in params.items() if name.lower() == "fields"), None)
        return isinstance(fields, Mapping) and not any(
            str(name).lower() in _ADDS_ROWS or _may_add_row(value) for name, value in fields.items()
        )
    return False


def _may_add_row(value: object) -> bool:
    """Return whether a value may be a file or a row, so that two updates add two of them."""
    # Texts, numbers and lists of them are no rows. Any mapping may be a row.
    if isinstance(value, str):
        return bool(_FILE.fullmatch(value))
    if isinstance(value, (list, tuple)):
        return _is_file(value) or any(map(_may_add_row, value))
    return isinstance(value, Mapping)


def _is_file(value: Sequence[object]) -> bool:
    """Return whether a list is a file: [name, content]."""
    match value:
        case [str() as name, str()]:
            return bool(_FILE_NAME.fullmatch(name))
        case _:
            return False
