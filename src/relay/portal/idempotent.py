"""Which calls may be sent again when it is unknown whether they ran, and why.

| calls | repeated | because |
|---|---|---|
| `profile`, `scope`, `*.get*`, `*.list`, `*.fields`, … | yes | they only read |
| `*.set` | yes | it replaces the whole by what is sent |
| `crm.*.update`, `tasks.task.update` | yes | equal values: nothing is saved (rest-protocol 9.3) |
| … with phones, e-mails or files | no | a row without an id, a file's content, a disk id (`n123`) |
|  | | is added once more (9.2); files are told by their shape, as field names are anybody's |
| `*.add`, `*.import`, `im.*`, `bizproc.*` | no | a second item, message or workflow |
| `*.delete` | no | the second answer is "not found", which would hide the success of the first |
| everything else | no | unknown |
"""

import re
from collections.abc import Mapping
from typing import Any

_READS = frozenset(
    {
        *("profile", "scope", "methods", "events", "time", "current", "list", "fields", "search"),
        *("count", "types", "findbycomm"),
    }
)
# Multi-fields and files: a row without an id is one more row.
_ADDS_ROWS = frozenset({"fm", "phone", "email", "web", "im", "link", "file", "files"})
_FILE_NAME = re.compile(r"[^/\n]*\.[A-Za-z0-9]{1,8}")
# A disk id, or base64 that is too long for a word.
_FILE = re.compile(r"n\d+|(?:data:[^,]*,)?[A-Za-z0-9+/=\r\n]{64,}")


def is_read(method: str) -> bool:
    """Say whether a method leaves the portal as it is."""
    last = method.lower().rpartition(".")[2]
    return last in _READS or last.startswith("get")


def is_idempotent(method: str, params: Mapping[str, Any]) -> bool:
    """Say whether running a call twice leaves the portal as running it once does."""
    method = method.lower()
    last = method.rpartition(".")[2]
    if is_read(method) or last == "set":
        return True
    if last == "update" and method.startswith(("crm.", "tasks.task.")):
        fields = next((value for name, value in params.items() if name.lower() == "fields"), None)
        return isinstance(fields, Mapping) and not any(
            str(name).lower() in _ADDS_ROWS or _may_add(value) for name, value in fields.items()
        )
    return False


def _may_add(value: Any) -> bool:
    """Say whether a field's value may be a file, or a row: setting it twice makes two of them.

    Texts, numbers and lists of them are no rows. A mapping may be one whatever its keys are.
    """
    if isinstance(value, str):
        return bool(_FILE.fullmatch(value))
    if isinstance(value, (list, tuple)):
        return _is_file(value) or any(map(_may_add, value))
    return isinstance(value, Mapping)


def _is_file(value: list[Any] | tuple[Any, ...]) -> bool:
    """Say whether a list looks like a file: the name and the content."""
    match value:
        case [str() as name, str()]:
            return bool(_FILE_NAME.fullmatch(name))
        case _:
            return False
