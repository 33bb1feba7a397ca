"""A table of a simulated portal, read through its list methods."""

from bisect import bisect_left

from relay.errors import PermanentError


class Table:
    """Items with these ids; a Table is called like a Wire's `answer`, and returns a page."""

    def __init__(self, ids, name="id", wrap="items"):
        """Take the ids, the name of their field, and the member with the list, "" for none."""
        self.ids, self.name, self.wrap = list(ids), name, wrap

    def __call__(self, method, params):
        """Return a page of up to 50 items; raises PermanentError for a bound that is no number."""
        low, high, id_set = 0, 10**9, None
        for name, value in (params.get("filter") or {}).items():
            if name.upper() in {"@ID", "ID"}:
                id_set = {int(number) for number in value}
            elif name.upper().endswith("ID"):
                if not str(value).isdecimal():
                    raise PermanentError(method, "INVALID_ARG_VALUE", "has invalid value")
                bound = int(value)
                low = max(low, bound + (name[1] != "=") if name[0] == ">" else 0)
                high = min(high, bound - (name[1] != "=") if name[0] == "<" else high)
        ids = self.ids[bisect_left(self.ids, low) : bisect_left(self.ids, high + 1)]
        ids = [number for number in ids if id_set is None or number in id_set]
        page = [{self.name: number} for number in ids[max(int(params.get("start", 0)), 0) :][:50]]
        return {self.wrap: page} if self.wrap else page


def read_list(clock, portal, method="crm.item.list", **params):
    """Return the ids of a whole list."""

    async def all_of_it():
        return [int(item.get("id") or item["ID"]) async for item in portal.list(method, **params)]

    return clock.run(all_of_it())
