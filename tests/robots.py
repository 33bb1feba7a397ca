"""Recorded requests of robots, and such requests as the gateway hands them over."""

import json

from relay.event import Document, Event
from relay.ingress.form import parse_form
from relay.ingress.robots import ROUTE
from tests.conftest import DATA

ROBOTS = DATA / "robots"
SECRET = "fakesecret0fakesecret1fakesecret"
MEMBER = "0123456789abcdef0123456789abcdef"
DEAL_42 = (
    "document_id%5B0%5D=crm&document_id%5B1%5D=CCrmDocumentDeal&document_id%5B2%5D=DEAL_42"
    f"&auth%5Bdomain%5D=some-domain.bitrix24.com&auth%5Bmember_id%5D={MEMBER}"
)
_EXPECTED = {
    "01": "deal/1234",
    "02": "deal/1234",
    "03": "deal/1234",
    "04": "deal/1",
    "05": "lead/1",
    "06": "deal/123",
    "07": "dynamic_1048/28",
    "08": "dynamic_1090/12",
    "09": "deal/54",
    "10": "deal/1234",
    "11": "dynamic_159/19622",
    "12": "task/49728",
    "13": "list_element/777",
    "14": "deal/42",
    "15": "deal/42",
    "16": "dynamic_1036/24",
    "20": "deal/1188",
    "21": "task/49728",
    "22": "deal/18",
    "23": "contact/109286",
}
DOCUMENTS = {
    path.stem: Document(*_EXPECTED[path.stem[:2]].split("/")) for path in ROBOTS.glob("*.txt")
}


def recorded(name):
    """Return query and body of a recorded request."""
    head, _, body = (ROBOTS / f"{name}.txt").read_text("utf-8").partition("\n\n")
    target = head.split()[1]
    return target.partition("?")[2], body.strip()


def form_of(name):
    """Return the form of a recorded request."""
    return parse_form(recorded(name)[1].encode())


def robot_request(query="", body=DEAL_42, method="POST", **path):
    """Return a robot's request as API Gateway hands it over."""
    path = {"portal": "main", "secret": SECRET, "name": "send_contract"} | path
    address = "/robot/{portal}/{secret}/{name}".format(**path)
    return {
        "version": "2.0",
        "routeKey": f"ANY {ROUTE}",
        "rawPath": address,
        "rawQueryString": query,
        "headers": {"content-type": "application/x-www-form-urlencoded"},
        "requestContext": {
            "requestId": "request-1",
            "timeEpoch": 1766047125000,
            "routeKey": f"ANY {ROUTE}",
            "http": {"method": method, "path": address},
        },
        "pathParameters": path,
        "body": body,
        "isBase64Encoded": False,
    }


def published(aws):
    """Return the event that was published last."""
    return Event.from_cloudevent(json.loads(aws.published[-1]["Message"]))
