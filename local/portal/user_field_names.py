"""What a user field may be called, and which types there are [crm/universal/userfields/]."""

import re

from local.portal.errors import RestError
from local.portal.static import ANSWERS
from local.portal.table import Row

_LONGEST = 50
_TYPES = {row["ID"] for row in ANSWERS["crm.userfield.types"]["result"]}
_TYPES |= {"hlblock", "iblock", "resourcebooking", "string_formatted", "video", "vote"}


def check_name(values: Row) -> None:
    """Refuse a name or a type of a new field that no field can have."""
    name, kind = values["FIELD_NAME"], str(values["USER_TYPE_ID"])
    text = ""
    if len(name) > _LONGEST:
        text = "Field name is too long (more than 50 characters)."
    elif not re.fullmatch("[A-Z0-9_]+", name):
        text = "Field name contains invalid characters. Allowed characters are: A-Z, 0-9 and _."
    elif kind not in _TYPES and not kind.startswith("rest_"):  # those of applications
        text = "Invalid custom type specified."
    if text:
        raise RestError("ERROR_CORE", text)
