"""Families of methods as data: `data/families/*.toml` says all that one engine has to know.

A family is a table of rows with some of the methods `fields`, `add`, `get`, `list`, `update` and
`delete`. Keys of its description, each with the default that most families want:

`operations`  names of the methods, `add=register` where a method has another name
`style`       `text`: UPPER_SNAKE names, numbers as texts; `native`: camelCase, numbers as numbers
`wrap`        names around an item and around a list; `fields` is wrapped wherever items are
`answers`     what add, update and delete answer: id, row (row:name where it is wrapped as another
              name; view: nothing around it), true, null, empty
`key`         name of the field that identifies a row; other than ID it is a text, and several
              names make a key of several fields, which then come in `fields`
`id`          parameters that carry the key, the first of them named in errors
`flat`        fields stand at the top level of the parameters, or do so in one operation
`given`       names of the parameter with the fields
`positional`  by operation, parameters that are bound by their order; `*`: must be given
`alias`       names of parameters that are not those of their fields, where these stand flat
`within`      parameters that every call names: part of the row, and of each search
`of`          parameters that each list names, and the families of what they name
`fixed`       what every row of this family has and other families of its table have not
`table`       name of the table, where several families share one
`like`        the family whose description this one takes over, save what it says itself; of its
              fields it leaves `without` out, and has those of `also` beside or instead
`keys`        `upper`: camelCase names of fields that are stored under UPPER_SNAKE ones
`order`       names of the fields that a list without an order is sorted by, `-NAME` falling
`modules`     names that a request's `moduleId` may have
`rights`      `admin`: only administrators write; `free`: what asks for none, `fields` by default
`event`       prefix of its events, or `events` by operation; `event_fields` (or, for one of
              them, `event_fields_add`, …): names in them and the fields they hold; `flat_event`:
              these stand in `data` itself
`errors`      texts as `code|text|status`, by kind or by `operation.kind`, where they are not those
              of `refusals.toml`; `missing` beside it for a family that takes the others over
`fault`       code of every error that has neither a text in `errors` nor the code 100
`described`   names of what `fields` tells of a field, `name=title` under another name; `sparse`:
              only what is true; `more`: what it tells of some of them beside
`members`     of objects, a line a member; `fields` lists them, and a write that names some leaves
              the others as they were
`unknown`     error of a list that is asked for a field which the family has not; in `errors`,
              `update.unknown`: of a write that names one
`bare`        a list's `select` leaves the key out too; a list has no `select` (`unselected`), no
              total (`uncounted`; get has one, 0: `counted`), no filter and order (`whole`), or
              its rows by id (`keyed`)
`rules`       what values must be [rules.py]; `rows`: what a new portal has of it

A line of `fields`: name (after a colon the key that it is stored under), type, flags, and after `=`
what it holds where nobody said, which is JSON or a token of `tokens.py`. Flags as in `fields.json`
and: `n` a number in a `text` family, `t` a text in a `native` one, `g` shown by get alone, `s` only
by a list that selects it, `o` where it has a value, `w` never; `h` never listed by `fields`, `U`
filled by every update, `V` asked for by every update; `q` four decimals; a number in lists (`l`),
in answers of get (`e`), add (`a`), update (`u`).
"""

import json
import tomllib

from local.portal.errors import RestError
from local.portal.schema import DATA
from local.portal.shape import Field, Shape
from local.portal.table import Row

_TEXT_CODE = 4  # longer numbers are numbers in an answer, 0 and 100 are texts
_WIDER = {"none": "id", "absent": "denied"}  # kinds of errors that few families tell apart
_OPERATIONS = "fields add get list update delete"
_REFUSALS: dict[str, Row] = tomllib.loads((DATA / "refusals.toml").read_text(encoding="utf-8"))


class Family(Shape):
    """One description, with its fields ready to use."""

    def __init__(self, name: str, data: Row) -> None:
        super().__init__()
        self.name, self.data = name, data
        self.native = data.get("style", "text") == "native"
        self.names = "item" if self.native else "classic"
        self.scope: str = data.get("scope", name.partition(".")[0])
        self.key: str = data.get("key", "id" if self.native else "ID")
        self.text_key = self.key.lower() != "id"
        self.key_fields = self.key.split() if " " in self.key else []
        self.id_names: list[str] = data.get("id", "id").split()
        self.given_names: list[str] = data.get("given", "fields").split()
        self.within: list[str] = data.get("within", [])
        self.params: dict[str, str] = {v: k for k, v in data.get("alias", {}).items()}
        self.alias = {param.lower(): name for name, param in self.params.items()}
        self.fixed: Row = data.get("fixed", {})
        self.table: str = data.get("table", name)
        words: str = data.get("operations", _OPERATIONS)
        self.operations = {
            word.partition("=")[0]: word.rpartition("=")[2] for word in words.split()
        }
        self.answers: Row = {"add": "id", "update": "true", "delete": "true"}
        if self.native:
            self.answers = {"add": "row", "update": "row", "delete": "null"}
        self.answers |= data.get("answers", {})
        self.defaults: Row = {}
        self.touched: Row = {}
        self.lower: dict[str, Field] = {}
        for line in data["fields"].strip().splitlines():
            self._add_line(line)

    def _add_line(self, line: str) -> None:
        left, sign, default = line.partition("=")
        name, kind, *flags = left.split()
        name, _, key = name.partition(":")
        key = key or self.key_of(name)
        self.add_field(Field(name, key, kind, flags[0] if flags else "", title_of(name)))
        field = self.fields[key]
        self.lower[name.lower()] = field
        self.blank[key] = [] if field.multiple else None
        if sign and default.strip().startswith("$"):
            self.defaults[key] = default.strip()
            if "U" in field.flags:
                self.touched[key] = default.strip()
        elif sign:
            self.defaults[key] = self.blank[key] = json.loads(default)

    def key_of(self, name: str) -> str:
        """The key of a field in a stored row."""
        if name.lower() == "id":
            return "id"
        return upper_snake(name) if self.data.get("keys") == "upper" else name

    def find(self, name: str, *, original: bool = False) -> Field | None:
        """Look a field up by its name; one name a field."""
        return super().find(name, original=original) or (
            None if self.native else self.classic.get(name.upper())
        )

    def error(self, operation: str, kind: str, name: str = "", *more: str) -> RestError:
        """Make the error that this family's pages document."""
        errors = dict(self.data.get("errors", {}))
        errors |= {one: self.data[one] for one in ("missing", "unknown") if one in self.data}
        fallback = _REFUSALS["native" if self.native else "text"].get(kind, "")
        own: str | None = errors.get(f"{operation}.{kind}") or errors.get(kind)
        if own is None and kind in _WIDER:
            return self.error(operation, _WIDER[kind], name)
        code, _, rest = (own or fallback).partition("|")
        if own is None and code != "100":
            code = self.data.get("fault", code)
        words, _, status = rest.partition("|")
        method = f"{self.name}.{self.operations.get(operation, operation)}"
        words = words.format(
            method=method,
            operation=operation,
            param=self.params.get(name, name.lower()),
            name=name,
            title=title_of(name),
            upper=upper_snake(name),
            camel=camel_case(name),
            names=", ".join((name, *more)),
        )
        return RestError(self.code_of(code), words, int(status or 400))

    @staticmethod
    def code_of(code: str) -> str | int:
        """Read an error's code: long ones of digits are numbers, and `#0` is."""
        number = code.startswith("#") or (len(code) > _TEXT_CODE and code.isdigit())
        return int(code.lstrip("#")) if number else code


def title_of(name: str) -> str:
    """Make words of a field's name: `ENTITY_ID` reads `Entity id`."""
    return name.replace("_", " ").capitalize() if name.isupper() else name


def upper_snake(name: str) -> str:
    """Name a camelCase field as the classic methods do."""
    return "".join(f"_{one}" if one.isupper() else one.upper() for one in name)


def camel_case(name: str) -> str:
    """Name an UPPER_SNAKE field as newer methods do."""
    first, *rest = name.lower().split("_")
    return first + "".join(word.capitalize() for word in rest)


def load_families() -> dict[str, Family]:
    """Read all descriptions."""
    found: dict[str, Row] = {}
    for path in sorted((DATA / "families").glob("*.toml")):
        found |= tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: Family(name, _whole(found, name)) for name in found}


def _whole(found: dict[str, Row], name: str) -> Row:
    """A description with what it takes over."""
    own = found[name]
    if "like" not in own:
        return own
    data = _whole(found, own["like"]) | own
    if "also" in own or "without" in own:
        lines = f"{data['fields']}\n{own.get('also', '')}".splitlines()
        by_name = {line.split()[0]: line for line in lines if line.strip()}
        left_out = own.get("without", "").split()
        data["fields"] = "\n".join(line for one, line in by_name.items() if one not in left_out)
    return data


FAMILIES = load_families()
