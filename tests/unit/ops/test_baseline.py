"""ops.baseline: sweeps run until the mirror is filled, and the progress is said once."""

import io
import json

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from ops.baseline import fill
from relay.tracking.sweep_state import KindProgress, SweepDocument, SweepState
from tests.tracking_dynamo import FakeDynamo

RESOURCES = {"StateTable": "State", "SweepFunction": "relay-sweep"}


class Aws(FakeDynamo):
    """A table, and a sweep that reads a kind in as many runs as `runs` says."""

    def __init__(self, runs):
        super().__init__()
        self.runs, self.answer, self.invoked = runs, {"main": "begun"}, 0

    def invoke(self, *, FunctionName):  # noqa: N803  boto3's name
        """Run a sweep; store how far the baseline is."""
        assert FunctionName == "relay-sweep"
        self.invoked += 1
        done = self.invoked >= self.runs
        deal = KindProgress(
            "done" if done else "reading", item_count=9, missing_rows=0 if done else 5
        )
        state = SweepState(self, "State")
        state.acquire("main", "test", float(self.invoked * 100), 1)
        state.save(
            "main", "test", SweepDocument({"deal": deal, "lead": KindProgress(refused=True)})
        )
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode())}


pytestmark = pytest.mark.usefixtures("sleeps")


def test_sweeps_run_until_the_mirror_is_filled():
    """A kind that is refused does not hold it up; equal progress is said once."""
    aws, lines = Aws(4), []
    assert fill(lambda _service: aws, RESOURCES, "main", lines.append, 60)
    assert aws.invoked == 4
    assert lines == [
        "mirror: deal 4 of 9, lead refused",
        "mirror: deal done, lead refused",
    ]


@pytest.mark.parametrize("error", [ReadTimeoutError, ConnectionClosedError])
def test_a_sweep_that_outlasts_its_connection_goes_on(error):
    """A first sweep takes up to 15 minutes, and a gateway on the way cuts idle connections."""
    aws, lines, invoke = Aws(4), [], None

    def cut_off(**asked):
        invoke(**asked)
        if aws.invoked < 4:
            raise error(endpoint_url="lambda")
        return {"Payload": io.BytesIO(b'{"main": "done"}')}

    invoke, aws.invoke = aws.invoke, cut_off
    assert fill(lambda _service: aws, RESOURCES, "main", lines.append, 60)
    assert lines == ["mirror: deal 4 of 9, lead refused", "mirror: deal done, lead refused"]


def test_patience_ends_the_command_and_not_the_filling():
    """Without patience one sweep runs, and the mirror is reported as not filled."""
    aws = Aws(4)
    assert not fill(lambda _service: aws, RESOURCES, "main", print, 0)
    assert aws.invoked == 1


@pytest.mark.parametrize("answer", [{"errorMessage": "x"}, None, {"second": "done"}])
def test_a_sweep_that_did_not_run_is_said(answer):
    """An error of the function, or a portal that it does not know, ends the command."""
    aws, lines = Aws(1), []
    aws.answer = answer
    assert not fill(lambda _service: aws, RESOURCES, "main", lines.append, 60)
    assert lines == [f"the sweep did not run: {answer}"]
