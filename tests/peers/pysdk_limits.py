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
report = []
for _ in range(3):
    try:
        report.append(client.crm.deal.get(bitrix_id=1).result["ID"])
    except BitrixAPIError as error:
        report.append(str(error.error))
report += [client.profile().result["ID"] for _ in range(2)]
report += [bool(client.server.time().result) for _ in range(2)]
sys.stdout.write(json.dumps(report))
