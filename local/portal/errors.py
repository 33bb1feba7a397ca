"""What the REST API says no with: a code, a text, a status; never an exception of ours."""

from http import HTTPStatus


class RestError(Exception):
    """An error answer; inside a batch the same without its status.

    The texts are the API's own, from the pages of the documentation on each method. A code is a
    text, save where a page shows the number 0.
    """

    def __init__(self, code: str | int, text: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(": ".join(str(one) for one in (code, text) if one != ""))
        self.code, self.text, self.status = code, text, status

    def to_dict(self) -> dict[str, str | int]:
        """The body, as documented: no `time` beside an error."""
        return {"error": self.code, "error_description": self.text}


def missing(name: str) -> RestError:
    """The answer where a method's parameter is missing (code 100 on all newer methods)."""
    return RestError("100", f"Could not find value for parameter {{{name}}}")


def classic(text: str) -> RestError:
    """Classic CRM leaves the code empty; the text is all that tells its errors apart."""
    return RestError("", text)


def access_denied(text: str = "Access denied") -> RestError:
    """The owner of the webhook may not."""
    return RestError("ACCESS_DENIED", text)


def not_found(text: str = "Not found.") -> RestError:
    """What was asked for isn't there."""
    return RestError("NOT_FOUND", text)


def invalid_argument(text: str) -> RestError:
    """A filter, an order or another argument that can't be used."""
    return RestError("INVALID_ARG_VALUE", text)
