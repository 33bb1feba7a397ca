"""local.trace: the frames that an author of a reaction reads."""

import json
import logging

import pytest
from aws_lambda_powertools.logging import Logger

from local.importing import load, troubles
from local.log_lines import traceback_of
from local.trace import Frame, lines, own


def frame(file, line=1):
    """Return a frame of a file."""
    return Frame.of(file, line, "run", "  act()\n")


def test_the_reactions_own_lines_come_first_and_the_frameworks_not_at_all():
    """Of an error raised below a helper of a reaction: the helper, then the reaction, no other."""
    frames = [
        frame("/var/task/relay/reaction/runner.py"),
        frame("/var/task/relay/reactions/follow_up.py", 20),
        frame("/tmp/x/relay/reactions/prices.py", 7),  # noqa: S108
        frame("/var/lang/lib/python3.13/json/decoder.py"),
    ]
    assert lines(frames) == [
        "src/relay/reactions/prices.py:7 in run",
        "    act()",
        "src/relay/reactions/follow_up.py:20 in run",
        "    act()",
    ]


def test_an_error_of_the_relay_itself_shows_its_frames():
    """Without a frame of a reaction those of the relay are shown, innermost first."""
    frames = [
        frame("/opt/boto3/session.py"),
        frame("/home/ada/relay/src/relay/tracking/track.py"),
        frame("/var/task/relay/settings.py"),
        frame("/opt/boto3/client.py"),
    ]
    assert [one.file for one in own(frames)] == [
        "src/relay/settings.py",
        "src/relay/tracking/track.py",
    ]


def test_a_log_line_of_powertools_is_read(capsys):
    """The traceback that Powertools logs has the raising line, with its statement."""
    logger = Logger(service="follow_up", level=logging.INFO)
    try:
        json.loads("{")
    except ValueError as error:
        logger.warning("comes back", exc_info=error)
    line = json.loads(capsys.readouterr().out)
    assert any(text.strip() == 'json.loads("{")' for text in traceback_of(line))


@pytest.mark.parametrize(
    "trace", [None, "text", {"frames": "text"}, {"frames": [1]}, {"frames": [{}]}]
)
def test_a_trace_of_another_shape_is_passed_over(trace):
    """A log line with a trace of odd types raises nothing."""
    assert traceback_of({"stack_trace": trace}) in ([], [":0"], ["None:0"])


def test_a_handler_that_lambda_could_not_load_is_refused():
    """A missing module and a missing handler are told with their names, an existing one passes."""
    gone = "relay.reactions.gone.handler"
    errors = troubles(["relay.reactions.follow_up.handler", gone])
    assert errors == {"ModuleNotFoundError: No module named 'relay.reactions.gone'": [gone]}
    with pytest.raises(TypeError, match=r"relay\.change has no handler; its last line is"):
        load("relay.change.handler")
