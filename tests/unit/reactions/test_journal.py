"""relay.reactions.journal: what can be asked of the log."""

import json
from types import SimpleNamespace

from relay.reactions.journal import handler


def test_every_event_is_one_line_that_can_be_searched(load_event, capsys):
    """Code, portal, item and payload are fields of the log line."""
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
    assert handler(load_event("sqs_deal_updated"), context) == {"batchItemFailures": []}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    deal, comment = [line for line in lines if "payload" in line]
    assert deal["message"] == "ONCRMDEALUPDATE"
    assert (deal["portal"], deal["entity"], deal["item_id"]) == ("main", "deal", "759")
    assert deal["payload"] == {"FIELDS": {"ID": "759"}}
    assert comment["payload"]["FIELDS_AFTER"]["MESSAGE_ID"] == "1458"
