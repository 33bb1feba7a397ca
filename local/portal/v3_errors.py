"""How REST 3.0 says no: an object with a code, a text, and what is wrong with each field."""

from http import HTTPStatus
from typing import Self

from local.portal.errors import RestError

PREFIX = "BITRIX_REST_V3_EXCEPTION_"
# Errors of the older API that v3 says in words of its own
_CODES = {
    "NO_AUTH_FOUND": ("ACCESSDENIEDEXCEPTION", HTTPStatus.UNAUTHORIZED),
    "INVALID_CREDENTIALS": ("ACCESSDENIEDEXCEPTION", HTTPStatus.UNAUTHORIZED),
    "INVALID_REQUEST": ("ACCESSDENIEDEXCEPTION", HTTPStatus.UNAUTHORIZED),
    "expired_token": ("ACCESSDENIEDEXCEPTION", HTTPStatus.UNAUTHORIZED),
    "insufficient_scope": ("INSUFFICIENTSCOPEEXCEPTION", HTTPStatus.FORBIDDEN),
    "ERROR_METHOD_NOT_FOUND": ("METHODNOTFOUNDEXCEPTION", HTTPStatus.NOT_FOUND),
    "1048582": ("ACCESSDENIEDEXCEPTION", HTTPStatus.FORBIDDEN),
}


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
        code, status = _CODES.get(str(error.code), ("", error.status))
        made = cls(code, error.text, status)
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
