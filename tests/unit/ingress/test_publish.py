"""relay.ingress.publish: the limit of SNS on a message."""

from tests.conftest import TOKEN


def test_an_event_too_large_for_sns_is_refused(aws, request_of):
    """An event whose JSON is larger than a message of SNS is refused, not spilled for ever."""
    body = f"event=A&auth[application_token]={TOKEN}&data=" + "%01" * 60_000
    assert aws.ask(request_of(body))[0] == 413
    assert not aws.sent
