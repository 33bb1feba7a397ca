"""fast-bitrix24 against a portal: print as JSON what each of its ways gave.

WEBHOOK (plain http) comes from the environment.
"""

import json
import os
import sys

from fast_bitrix24 import Bitrix
from fast_bitrix24.server_response import ErrorInServerResponseException

portal = Bitrix(os.environ["WEBHOOK"], verbose=False)
report = {}


def refusal_of(method, item):
    """Return what a call was refused with."""
    try:
        portal.call(method, item)
    except ErrorInServerResponseException as error:
        return str(error)
    return ""


number = portal.call("crm.deal.add", {"fields": {"TITLE": "fast & free", "OPPORTUNITY": 5}})
report["added"] = number
# It keeps the name of the one command of its batch where the result is an object
report["got"] = portal.call("crm.deal.get", {"ID": number})["order0000000000"]["TITLE"]
report["updated"] = portal.call("crm.deal.update", {"ID": number, "fields": {"TITLE": "changed"}})
report["all"] = len(portal.get_all("crm.deal.list", {"select": ["ID"]}))
report["items"] = len(portal.get_all("crm.item.list", {"entityTypeId": 2, "select": ["id"]}))
report["users"] = len(portal.get_all("user.get"))
report["tasks"] = len(portal.get_all("tasks.task.list"))
report["by id"] = sorted(portal.get_by_ID("crm.deal.get", [1, 2, number]))
report["list and get"] = len(portal.list_and_get("crm.deal"))
edits = [{"ID": one, "fields": {"TITLE": f"deal {one}"}} for one in range(1, 61)]
report["calls"] = all(portal.call("crm.deal.update", edits))
chain = {
    "halt": 0,
    "cmd": {"a": "crm.deal.list?order[ID]=DESC", "b": "crm.deal.get?ID=$result[a][0][ID]"},
}
report["batch"] = portal.call_batch(chain)["b"]["TITLE"]
report["raw"] = portal.call("crm.deal.get", {"ID": 1}, raw=True)["result"]["TITLE"]
report["deleted"] = portal.call("crm.deal.delete", {"ID": number})
report["refused"] = "Not found" in refusal_of("crm.deal.get", {"ID": 99999})
sys.stdout.write(json.dumps(report))
