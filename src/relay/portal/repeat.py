"""Which calls may be sent again when it is unknown whether they ran, and why.

| calls | repeated | because |
|---|---|---|
| `profile`, `scope`, `*.get*`, `*.list`, `*.fields`, … | yes | they only read |
| `*.set` | yes | it replaces the whole by what is sent |
| `crm.*.update`, `tasks.task.update` | yes | equal values: nothing is saved (rest-protocol 9.3) |
| … with phones, e-mails or files | no | rows without an id are added once more (9.2) |
| `*.add`, `*.import`, `im.*`, `bizproc.*` | no | a second item, message or workflow |
| `*.delete` | no | the second answer is "not found", which would hide the success of the first |
| everything else | no | unknown |
"""

from collections.abc import Mapping
from typing import Any

_READS = frozenset(
    {
        *("profile", "scope", "methods", "events", "time", "current", "list", "fields", "search"),
        *("count", "types", "findbycomm"),
    }
)
# Multi-fields and files: a row without an id is one more row.
_ADDS_ROWS = frozenset({"fm", "phone", "email", "web", "im", "link", "files"})


def only_reads(method: str) -> bool:
    """Say whether a method leaves the portal as it is."""
    last = method.lower().rpartition(".")[2]
    return last in _READS or last.startswith("get")


def is_harmless(method: str, params: Mapping[str, Any]) -> bool:
    """Say whether running a call twice leaves the portal as running it once does."""
    method = method.lower()
    last = method.rpartition(".")[2]
    if only_reads(method) or last == "set":
        return True
    if last == "update" and method.startswith(("crm.", "tasks.task.")):
        fields = next((value for name, value in params.items() if name.lower() == "fields"), None)
        return isinstance(fields, Mapping) and not _ADDS_ROWS & {str(key).lower() for key in fields}
    return False
