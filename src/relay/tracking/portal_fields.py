"""Fields that the portal gave to its items, or took from them. Pure.

An update of the portal brings standard fields, and the settings of a smart process switch them on
and off for all of its items (`crm.type.update`: stages, funnels, dates, products, a source).
Nobody saved the items, so their time of change stays.
"""

import re
from datetime import datetime

from relay.kinds import kind_of
from relay.tracking.parts import PART_OF_FIELD
from relay.tracking.projection import Form
from relay.tracking.row import Row

# The value of a user field is somebody's, and calls of their own set links to other objects.
_SOMEBODYS = re.compile(r"(?i:uf).*|(my)?companyIds?|(contact|lead|deal|quote)Ids?|observers|fm"
                        r"|parentId\d+|PARENT_ID_\d+")  # fmt: skip

SETTLED_SECONDS = 3600  # of which the portal's clock may be behind ours


def is_the_portals(name: str, before: Form, after: Form, old: Row, new: Row) -> bool:
    """Say whether a field came or went with the portal; `names` of both rows differ."""
    if name in before and name in after:
        return False
    if before.get(name, after.get(name)) in (0, "0", "N"):
        return True  # the "no" that every item has
    is_crm = kind_of(new.key.entity).entity_type_id is not None  # others answer chosen fields
    is_standard = name not in PART_OF_FIELD and not _SOMEBODYS.fullmatch(name)
    return is_crm and is_standard and _is_untouched(old, new)


def _is_untouched(old: Row, new: Row) -> bool:
    """Say whether nobody saved an item between two readings.

    Times of change have seconds: of two edits within one, the first reading may have seen one.
    """
    if old.updated != new.updated:
        return False
    try:
        saved_at = datetime.fromisoformat(old.updated).timestamp()
    except (ValueError, OverflowError):
        return False
    return old.read_at - saved_at > SETTLED_SECONDS
