"""How fields that people made are shown: their labels by language, the values of their lists."""

from typing import Any

from local.portal.call import Call
from local.portal.family import Family
from local.portal.php import entries
from local.portal.rows import hook
from local.portal.table import Row

LABELS = ("EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL")
_MESSAGES = (*LABELS, "ERROR_MESSAGE", "HELP_MESSAGE")
_LANGUAGES = (
    *("ar", "br", "de", "en", "fr", "hi", "id", "in", "it", "ja"),
    *("kz", "la", "ms", "pl", "ru", "sc", "tc", "th", "tr", "ua", "vn"),
)


def in_language(label: Any, language: str) -> Any:
    """One text of a label that may have several."""
    if isinstance(label, dict):
        return label.get(language) or next(iter(label.values()), None)
    return label


@hook("user_fields", "where")
def in_one_language(_call: Call, given: Row) -> None:
    """`LANG` says in which language a list has its labels; it is no condition."""
    for name in [name for name in given if name.upper() == "LANG"]:
        del given[name]


@hook("user_fields", "listed")
def listed_field(call: Call, family: Family, view: Row) -> Row:
    """Without a language a list has no labels; `userfieldconfig` has those of the one selected."""
    if not family.native:
        lang = any(name.upper() == "LANG" for name, _ in entries(call.get("filter", default={})))
        return view if lang else {k: v for k, v in view.items() if k not in _MESSAGES}
    language = dict(entries(call.get("select", default=[]))).get("language")
    if language and isinstance(language, str):
        for field in family.fields.values():
            if field.key in _MESSAGES or field.key == "LANGUAGE_ID":
                view[field.name] = {language: dict(entries(view.get(field.name))).get(language)}
    return view


@hook("user_fields", "show")
def show_field(family: Family, row: Row, view: Row, operation: str) -> None:
    """Show labels in all languages, lists of fields in one, and lists of values as each family."""
    labels = {f.name: view[f.name] for f in family.fields.values() if f.key in _MESSAGES}
    given = {one for label in labels.values() if isinstance(label, dict) for one in label}
    languages = sorted(given) if family.native and given else list(_LANGUAGES)
    blank = None if family.native else ""
    for name, label in labels.items():
        texts = label if isinstance(label, dict) else dict.fromkeys(languages, label)
        view[name] = {one: texts.get(one) or blank for one in languages}
        if operation == "list" and not family.native:
            view[name] = in_language(label, "en")
    name, options = ("enum", row.get("LIST")) if family.native else ("LIST", row.get("LIST"))
    if row["USER_TYPE_ID"] != "enumeration":
        del view[name]
    elif family.native:
        view[name] = [
            {"id": one["ID"], "userFieldId": str(row["id"]), "value": one["VALUE"]}
            | {"def": one["DEF"], "sort": one["SORT"], "xmlId": one["XML_ID"]}
            for one in options or []
        ]
    if family.native:
        view["languageId"] = {one: one for one in languages}
        if operation == "list":
            view.pop("enum", None)
