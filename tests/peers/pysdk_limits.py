"""The vendor's Python client at the limits: print as JSON what it was told.

DOMAIN (host:port, https), TOKEN (user/secret) and REQUESTS_CA_BUNDLE come from the environment.
"""

import json
import os
import sys

from b24pysdk import BitrixWebhook, Client
from b24pysdk.errors import BitrixAPIError

token = BitrixWebhook(domain=os.environ["DOMAIN"], webhook_token=os.environ["TOKEN"])
client = Client(token)
told = []
for _ in range(3):
    try:
        told.append(client.crm.deal.get(bitrix_id=1).result["ID"])
    except BitrixAPIError as error:
        told.append(str(error.error))
told += [client.profile().result["ID"] for _ in range(2)]
told += [bool(client.server.time().result) for _ in range(2)]
sys.stdout.write(json.dumps(told))
