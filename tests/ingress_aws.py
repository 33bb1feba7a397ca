"""SNS, SQS and SSM around ingress and republish, each of which can be made to fail."""

import json

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from relay.ingress.accept import arrival_of
from relay.ingress.app import receive
from relay.ingress.republish import republish
from relay.ingress.robot_cache import RobotCache
from relay.ingress.tokens import TokenCache
from tests.conftest import DATA, TOKEN

TOPIC, SPILL, DEAD = "arn:aws:sns:eu-central-1:1:Events", "https://sqs/spill", "https://sqs/dead"
DOWN = EndpointConnectionError(endpoint_url="https://sns")
HANGS = ReadTimeoutError(endpoint_url="https://sns")
DENIED = ClientError({"Error": {"Code": "AuthorizationError", "Message": "no"}}, "Publish")
THROTTLED = ClientError({"Error": {"Code": "Throttled", "Message": "slow down"}}, "Publish")
DEAL_ADD = (DATA / "wire" / "ONCRMDEALADD.txt").read_text("utf-8")


class IngressAws:
    """The services; `failing` maps a service to the error that it raises.

    `published` and `sent` are the messages that SNS and SQS took, `waits` the seconds for which
    records are hidden, `reads` the number of reads of the tokens, `now` the cache's clock.
    """

    def __init__(self):
        self.tokens, self.published, self.sent, self.failing = {"main": TOKEN}, [], [], {}
        self.waits, self.reads, self.now = [], 0, 0.0
        self.cache = TokenCache(self.read_tokens, lambda: self.now)
        self.secrets, self.robots = {}, RobotCache(self.read_secrets, lambda: self.now)

    def client(self, _service):
        """Return a service's client: this object is all of them."""
        return self

    def _fail(self, service):
        if service in self.failing:
            raise self.failing[service]

    def publish(self, **message):
        """Take a message, as SNS does."""
        self._fail("sns")
        self.published.append(message)

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: N803  boto3's names
        """Note for how long records are hidden."""
        assert QueueUrl == SPILL
        self._fail("sqs")
        self.waits += [entry["VisibilityTimeout"] for entry in Entries]
        return {}

    def send_message(self, **message):
        """Take a message, as SQS does."""
        self._fail("sqs")
        self.sent.append(message)

    def read_tokens(self):
        """Return the tokens, as SSM does."""
        self.reads += 1
        self._fail("ssm")
        return dict(self.tokens)

    def read_secrets(self):
        """Return the secrets of robots, as SSM does."""
        self._fail("ssm")
        return dict(self.secrets)

    def ask(self, request):
        """Return status and body of ingress's answer to a request."""
        arrival = arrival_of(request, "invocation-1")
        answer = receive(request, arrival, self.cache, self.robots, self.client)
        assert answer["headers"] == {"content-type": "application/json"}
        return answer["statusCode"], json.loads(answer["body"])

    def spilled(self):
        """Return the body of the message that was spilled last, and forget it."""
        message = self.sent.pop()
        assert message["QueueUrl"] == SPILL
        return message["MessageBody"]

    def republish(self, *bodies):
        """Let republish handle a batch of messages; return the numbers of those that come back."""
        records = [
            {"messageId": str(number), "receiptHandle": "r", "body": body}
            for number, body in enumerate(bodies)
        ]
        answer = republish({"Records": records}, self.cache, self.robots, self.client)
        return [int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]


def counted(output):
    """Return the metrics in what was printed: {name: sum}."""
    metrics = {}
    for line in output.splitlines():
        entry = json.loads(line)
        for group in entry.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in group["Metrics"]:
                metrics[metric["Name"]] = sum(entry[metric["Name"]])
    return metrics
