"""A portal for tests of parts: stage history with rows that appear late, and product rows."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import islice

from relay.errors import PermanentError
from tests.tracking_portal import PAGE, ItemsPortal, seconds

BEGIN = datetime(2026, 3, 1, 9, tzinfo=UTC)
OWNER_TYPES = {"L": 1, "D": 2, "Q": 7, "SI": 31}


def at(seconds):
    """Return a time so many seconds after the beginning, as the portal spells it."""
    return (BEGIN + timedelta(seconds=seconds)).isoformat()


class PartsPortal(ItemsPortal):
    """Items with a stage history and product rows."""

    def __init__(self, types=(1, 2, 3, 4, 7, 31, 0)):
        super().__init__(types)
        self.history = []  # rows in the order of their ids; a hidden one is not visible yet
        self.last_step = 0
        self.rows = {}  # (type, item) -> product rows
        self.last_row = 0
        self.requisites, self.bank_details = [], []
        self.contacts = {}  # (kind, item) -> rows
        self.activities = {}  # by id
        self.no_arrays = False
        self.refusals = {}  # method -> exception

    def step(self, type_id, item_id, stage, second=0, *, hidden=False):
        """Write a row of the stage history; returns it."""
        self.last_step += 1
        row = {
            "ID": self.last_step,
            "TYPE_ID": 2,
            "OWNER_ID": item_id,
            "CREATED_TIME": at(second),
            "CATEGORY_ID": 0,
            "STAGE_SEMANTIC_ID": "P",
            "STAGE_ID": stage,
        }
        if type_id == 1:
            row = {"STATUS_ID" if n == "STAGE_ID" else n: v for n, v in row.items()}
            del row["CATEGORY_ID"]
        self.history.append({"type": type_id, "hidden": hidden, "row": row})
        return self.history[-1]

    def move(self, type_id, item_id, stage, second=0):
        """Move an item to a stage: its field, its time and the history."""
        self.put(type_id, item_id, stageId=stage, updatedTime=at(second))
        return self.step(type_id, item_id, stage, second)

    def set_rows(self, type_id, item_id, *rows):
        """Replace an item's product rows; each gets a new id."""
        found = []
        for place, row in enumerate(rows, 1):
            self.last_row += 1
            owner = {"ownerId": item_id, "ownerType": "D"}
            found.append({"id": self.last_row, "sort": 10 * place} | owner | row)
        self.rows[type_id, item_id] = found
        return found

    def answer(self, method, params):
        """Return what a method answers now."""
        if error := self.refusals.get(method):
            raise error
        if method == "crm.stagehistory.list":
            return {"items": self._steps(params)}
        if method == "crm.item.productrow.list":
            return {"productRows": self._rows(params)}
        if method.startswith(("crm.requisite.", "crm.activity.")) or "contact.items" in method:
            return self._around(method, params)
        return super().answer(method, params)

    def _around(self, method, params):
        if method.startswith("crm.requisite.") and "@ID" in params["filter"]:
            rows = self.requisites if method == "crm.requisite.list" else self.bank_details
            ids = {str(one) for one in params["filter"]["@ID"]}
            return [{n: row[n] for n in params["select"]} for row in rows if row["ID"] in ids]
        if method == "crm.requisite.list":
            kind = params["filter"]["ENTITY_TYPE_ID"]
            rows = [row for row in self.requisites if row["ENTITY_TYPE_ID"] == str(kind)]
            return self._of_owners(rows, params)
        if method == "crm.requisite.bankdetail.list":
            return self._of_owners(self.bank_details, params)
        if method == "crm.activity.list":
            return self._activities(params)
        if method == "crm.activity.get":
            if int(params["id"]) not in self.activities:
                raise PermanentError(method, "", "Not found")
            return self.activities[int(params["id"])]
        return self.contacts.get((method.split(".")[1], params["id"]), [])

    def _activities(self, params):
        rules = params["filter"]
        since, ids = rules.get(">=LAST_UPDATED"), rules.get("@ID")
        found = [
            {name: value for name, value in row.items() if name in params["select"]}
            for number, row in sorted(self.activities.items())
            if number > int(rules.get(">ID", 0))
            and (ids is None or number in ids)
            and (not since or seconds(row["LAST_UPDATED"]) >= seconds(since))
        ]
        return found[:PAGE]

    def _of_owners(self, rows, params):
        rules = params["filter"]
        owners, lowest = {str(one) for one in rules["@ENTITY_ID"]}, int(rules.get(">ID", 0))
        return [r for r in rows if r["ENTITY_ID"] in owners and int(r["ID"]) > lowest][:PAGE]

    def _steps(self, params):
        rules, number = params.get("filter", {}), int(params["entityTypeId"])
        if number not in {1, 2, 31} and number < 128:
            raise PermanentError("crm.stagehistory.list", "ENTITY_TYPE_NOT_SUPPORTED")
        owners = {int(one) for one in rules.get("@OWNER_ID", ())}
        excluded = rules.get("!@ID", ())
        begin = bisect_right(
            self.history, int(rules.get(">ID", 0)), key=lambda one: one["row"]["ID"]
        )
        falling = params.get("order", {}).get("ID") == "DESC"
        found = (
            one["row"]
            for one in (reversed(self.history[begin:]) if falling else self.history[begin:])
            if (not owners or one["row"]["OWNER_ID"] in owners)
            and one["type"] == number
            and not one["hidden"]
            and one["row"]["ID"] not in excluded
        )
        return list(islice(found, PAGE))

    def _rows(self, params):
        rules = params["filter"]
        asked = rules["=ownerId"]
        if self.no_arrays and isinstance(asked, list):
            raise PermanentError("crm.item.productrow.list", "ACCESS_DENIED")
        owners = asked if isinstance(asked, list) else [asked]
        code = rules["=ownerType"]
        number = OWNER_TYPES.get(code) or int(code.removeprefix("T"), 16)
        found = [row for one in owners for row in self.rows.get((number, int(one)), ())]
        lowest = int(rules.get(">id", 0))
        listed = (row for row in found if int(row["id"]) > lowest)
        return sorted(listed, key=lambda row: int(row["id"]))[:PAGE]
