"""The vendor's Python client against a portal: print as JSON what each of its ways gave.

DOMAIN (host:port, https), TOKEN (user/secret) and REQUESTS_CA_BUNDLE come from the environment.
"""

import json
import os
import sys

from b24pysdk import BitrixWebhook, Client
from b24pysdk.errors import BitrixAPIError

token = BitrixWebhook(domain=os.environ["DOMAIN"], webhook_token=os.environ["TOKEN"])
client = Client(token)
report = {}


def code_of(request):
    """Return the code of the error that a request is refused with."""
    try:
        request.result  # noqa: B018  the request is sent here
    except BitrixAPIError as error:
        return str(error.error)
    return None


number = client.crm.deal.add(fields={"TITLE": "from the SDK", "OPPORTUNITY": 5}).result
report["added"] = number
report["got"] = client.crm.deal.get(bitrix_id=number).result["OPPORTUNITY"]
report["updated"] = client.crm.deal.update(number, fields={"TITLE": "changed"}).result
report["item"] = client.crm.item.get(bitrix_id=number, entity_type_id=2).result["item"]["title"]
report["list"] = len(client.crm.deal.list(select=["ID"]).as_list().result)
report["list fast"] = len(list(client.crm.deal.list(select=["ID"]).as_list_fast().result))
items = client.crm.item.list(entity_type_id=2, select=["id"])
report["items"] = len(items.as_list().result)
report["by ids"] = len(client.crm.deal.list(filter={"@ID": [1, 2, 3]}).as_list().result)
both = {"a": client.crm.deal.get(bitrix_id=number), "b": client.profile()}
report["batch"] = client.call_batch(both).result.result["a"]["TITLE"]
many = [client.crm.deal.get(bitrix_id=one) for one in range(1, 61)]
report["batches"] = len(client.call_batches(many).result.result)
report["task"] = client.tasks.task.add(fields={"TITLE": "x", "RESPONSIBLE_ID": 1}).result["task"][
    "id"
]
report["task got"] = client.tasks.task.get(int(report["task"])).result["task"]["title"]
report["deleted"] = client.crm.deal.delete(bitrix_id=number).result
report["missing"] = code_of(client.crm.item.get(bitrix_id=99999, entity_type_id=2))
report["not for webhooks"] = code_of(client.app.option.get())
report["time"] = client.server.time().time.operating is not None
sys.stdout.write(json.dumps(report))
