"""The kinds of items that the relay mirrors: one table, for everybody who needs a fact of a kind.

Numbers, names and methods: rest-protocol sections 9.3, 9.5 and 15; api-reference/crm/data-types.md.
Ingress imports this module at its cold start, so it imports nothing that is slow to load.
"""

from typing import NamedTuple

OLD_INVOICE = 5  # the entityTypeId of the former invoices, which no item method serves
FIRST_DYNAMIC = 128  # the entityTypeIds of smart processes begin here
_DYNAMIC = "dynamic_"


class Kind(NamedTuple):
    """One kind of items. Field names are those of the answers of its list method."""

    name: str  # in Changes, in filters, in the mirror's keys; `dynamic_<n>`: a smart process
    entity_type_id: int | None  # in `crm.item.*`; None for tasks, which have methods of their own
    event: str  # the beginning of its event codes, before ADD, UPDATE and DELETE
    page: str  # the path of an item's page; `{}` stands for its id. Empty where there is none
    owner_code: str = ""  # as the owner of product rows; empty where there are none
    has_own_methods: bool = False  # `crm.<name>.add` and the like, beside `crm.item.*`
    key_fields: tuple[str, ...] = ()  # of a key by which a create is found; empty: none can hold it
    updated_field: str = "updatedTime"  # holds the time of the last change
    created_field: str = "createdTime"


def _with_own_methods(number: int, name: str, owner_code: str = "") -> Kind:
    keys = ("originatorId", "originId")  # made for keys of other systems
    page = f"/crm/{name}/details/{{}}/"
    return Kind(name, number, f"ONCRM{name.upper()}", page, owner_code, True, keys)


def _smart_process(number: int, name: str = "", owner_code: str = "") -> Kind:
    name = name or f"{_DYNAMIC}{number}"
    owner_code = owner_code or f"T{number:x}"  # in lower case: the portal compares it as stored
    page = f"/crm/type/{number}/details/{{}}/"
    return Kind(name, number, "ONCRMDYNAMICITEM", page, owner_code, key_fields=("xmlId",))


TASK = "task"
KINDS = {
    kind.name: kind
    for kind in (
        _with_own_methods(1, "lead", "L"),
        _with_own_methods(2, "deal", "D"),
        _with_own_methods(3, "contact"),
        _with_own_methods(4, "company"),
        Kind("quote", 7, "ONCRMQUOTE", "/crm/type/7/details/{}/", "Q", has_own_methods=True),
        _smart_process(31, "invoice", "SI"),
        Kind(
            TASK,
            None,
            "ONTASK",
            "/company/personal/user/0/tasks/task/view/{}/",
            key_fields=("xmlId",),
            updated_field="changedDate",
            created_field="createdDate",
        ),
    )
}
# Mirrored only where the setting `PARTS` asks for them.
ACTIVITY = "activity"
OPTIONAL_KINDS = {
    ACTIVITY: Kind(
        ACTIVITY,
        None,
        "ONCRMACTIVITY",
        "",
        updated_field="lastUpdated",
        created_field="created",
    )
}
_NAMES = {kind.entity_type_id: kind.name for kind in KINDS.values()}


def kind_of(name: str) -> Kind:
    """Return the kind of a name; raises KeyError for a name of nothing that is mirrored."""
    number = name.removeprefix(_DYNAMIC)
    if number != name and number.isdecimal() and int(number) >= FIRST_DYNAMIC:
        return _smart_process(int(number))
    return OPTIONAL_KINDS[name] if name in OPTIONAL_KINDS else KINDS[name]


def name_of(entity_type_id: int) -> str:
    """Return the name of a kind by its number; `kind_of` says whether it is mirrored."""
    return _NAMES.get(entity_type_id, f"{_DYNAMIC}{entity_type_id}")
