"""Personal data out of a sample: texts keep their shape and their equality, and say nothing."""

import re
import secrets
from collections.abc import Callable, Mapping
from hashlib import sha256

from relay.cloudevent import Parsed

# Names of fields whose texts are codes, ids or times of the portal's own.
CODES = re.compile(
    r"(?:Id|Ids|By|Time|Date|dateCreate|dateModify|opened|closed|semantics?|entityTypeName|"
    r"status|priority|mark|url)$|^(?:id|entityId|movedTime|begindate|closedate)$",
    re.IGNORECASE,
)
PERSONAL_DATES = re.compile(r"birth", re.IGNORECASE)
SWITCH = re.compile(r"[YN]|true|false|")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Mask:
    """Replaces texts; equal texts by equal ones, within one sample only."""

    def __init__(self, salt: bytes | None = None) -> None:
        self._salt = salt or secrets.token_bytes(16)

    def fields(self, values: Mapping[str, Parsed]) -> dict[str, Parsed]:
        """Return an item's fields with their texts masked, but for codes, ids and times."""
        return {name: self._value(name, value) for name, value in values.items()}

    def _value(self, name: str, value: Parsed) -> Parsed:
        if isinstance(value, dict):
            return {key: self._value(key, one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._value(name, one) for one in value]
        if not isinstance(value, str) or SWITCH.fullmatch(value):
            return value
        if CODES.search(name) and not PERSONAL_DATES.search(name):
            return value
        return self.text(value)

    def text(self, text: str) -> str:
        """Return a text of the same shape: letters for letters, digits for digits."""
        if EMAIL.fullmatch(text):
            return f"{self._like('someone', text)}@example.com"
        return self._like(text, text)

    def _like(self, shape: str, text: str) -> str:
        digest = iter(self._stream(text, len(shape)))
        return "".join(_replaced(char, digest.__next__) for char in shape)

    def _stream(self, text: str, size: int) -> bytes:
        blocks = size // 32 + 1
        data = self._salt + text.encode("utf-8", "surrogatepass")
        return b"".join(sha256(data + bytes([at % 256])).digest() for at in range(blocks))


def _replaced(char: str, number: Callable[[], int]) -> str:
    if char.isdigit():
        return str(number() % 10)
    if char.isalpha():
        letter = LETTERS[number() % len(LETTERS)]
        return letter.upper() if char.isupper() else letter
    return char
