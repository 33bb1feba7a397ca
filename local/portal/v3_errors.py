"""How REST 3.0 says no: an object with a code, a text, and what is wrong with each field."""

import tomllib
from http import HTTPStatus
from typing import Any, Self

from local.portal.errors import RestError
from local.portal.schema import DATA

PREFIX = "BITRIX_REST_V3_EXCEPTION_"
DATA_V3: dict[str, Any] = tomllib.loads((DATA / "v3.toml").read_text(encoding="utf-8"))


class V3Error(RestError):
    """An error of REST 3.0; `fields` holds names of fields and what is wrong with them."""

    def __init__(
        self, code: str, text: str, status: int = HTTPStatus.BAD_REQUEST, *fields: tuple[str, str]
    ) -> None:
        name = code if code.startswith("BITRIX_") else PREFIX + code
        super().__init__(name, text, status)
        self.name, self.fields = name, fields

    @classmethod
    def of(cls, error: RestError) -> Self:
        """Take an error of the older API over."""
        if isinstance(error, cls):
            return error
        code, _, status = DATA_V3["codes"].get(str(error.code), "").partition("|")
        made = cls(code, error.text, int(status or error.status))
        made.name = PREFIX + code if code else str(error.code)
        return made


def invalid(*fields: tuple[str, str]) -> V3Error:
    """A request that can't be used."""
    text = "Error during request object validation"
    return V3Error("VALIDATION_REQUESTVALIDATIONEXCEPTION", text, HTTPStatus.BAD_REQUEST, *fields)


def unfilled(name: str, text: str) -> V3Error:
    """A field of a record that was not filled, or can't be."""
    code, words = "VALIDATION_DTOVALIDATIONEXCEPTION", "Error during object validation"
    return V3Error(code, words, HTTPStatus.BAD_REQUEST, (name, text))


def missing(name: str) -> V3Error:
    """A field without which nothing goes."""
    return invalid((name, f"Required field `{name}` is missing"))


def wrong_type(name: str, kind: str) -> V3Error:
    """A value that is not of its field's type."""
    return invalid((name, f"Field `{name}` requires data type `{kind}` for this request"))


def unknown_field(name: str, record: str) -> V3Error:
    """A kind of record has no such field."""
    text = f"Unknown field `{name}` for entity `{record}`"
    return V3Error("UNKNOWNDTOPROPERTYEXCEPTION", text)


def denied() -> V3Error:
    """The owner of the webhook may not, or there is nothing that he could see."""
    return V3Error("ACCESSDENIEDEXCEPTION", "Access denied", HTTPStatus.FORBIDDEN)


def unknown_method(name: str) -> V3Error:
    """No such method in v3."""
    return V3Error("METHODNOTFOUNDEXCEPTION", f"Method `{name}` not found", HTTPStatus.NOT_FOUND)


def check_type(name: str, kind: str, value: object) -> None:
    """Refuse a value that is not of its field's type; times are texts."""
    types = {"int": int, "array": list, "object": dict}
    if not isinstance(value, types.get(kind, str)) or isinstance(value, bool):
        raise wrong_type(name, kind)
