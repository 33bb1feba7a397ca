"""fast-bitrix24 against a portal: print as JSON what each of its ways gave.

WEBHOOK (plain http) comes from the environment.
"""

import json
import os
import sys

from fast_bitrix24 import Bitrix
from fast_bitrix24.server_response import ErrorInServerResponseException

portal = Bitrix(os.environ["WEBHOOK"], verbose=False)
told = {}


def refusal_of(method, item):
    """Return what a call was refused with."""
    try:
        portal.call(method, item)
    except ErrorInServerResponseException as error:
        return str(error)
    return ""


number = portal.call("crm.deal.add", {"fields": {"TITLE": "fast & free", "OPPORTUNITY": 5}})
told["added"] = number
# It keeps the name of the one command of its batch where the result is an object
told["got"] = portal.call("crm.deal.get", {"ID": number})["order0000000000"]["TITLE"]
told["updated"] = portal.call("crm.deal.update", {"ID": number, "fields": {"TITLE": "changed"}})
told["all"] = len(portal.get_all("crm.deal.list", {"select": ["ID"]}))
told["items"] = len(portal.get_all("crm.item.list", {"entityTypeId": 2, "select": ["id"]}))
told["users"] = len(portal.get_all("user.get"))
told["tasks"] = len(portal.get_all("tasks.task.list"))
told["by id"] = sorted(portal.get_by_ID("crm.deal.get", [1, 2, number]))
told["list and get"] = len(portal.list_and_get("crm.deal"))
edits = [{"ID": one, "fields": {"TITLE": f"deal {one}"}} for one in range(1, 61)]
told["calls"] = all(portal.call("crm.deal.update", edits))
chain = {
    "halt": 0,
    "cmd": {"a": "crm.deal.list?order[ID]=DESC", "b": "crm.deal.get?ID=$result[a][0][ID]"},
}
told["batch"] = portal.call_batch(chain)["b"]["TITLE"]
told["raw"] = portal.call("crm.deal.get", {"ID": 1}, raw=True)["result"]["TITLE"]
told["deleted"] = portal.call("crm.deal.delete", {"ID": number})
told["refused"] = "Not found" in refusal_of("crm.deal.get", {"ID": 99999})
sys.stdout.write(json.dumps(told))
