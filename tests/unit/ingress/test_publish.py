"""relay.ingress.publish: the limit of SNS on a message."""

import pytest

from relay.ingress.publish import MAX_MESSAGE_BYTES
from tests.conftest import TOKEN


def test_an_event_too_large_for_sns_is_refused(aws, request_of):
    """An event whose JSON is larger than a message of SNS is refused, not spilled for ever."""
    body = f"event=A&auth[application_token]={TOKEN}&data=" + "%01" * 60_000
    assert aws.ask(request_of(body))[0] == 413
    assert not aws.sent


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
def test_the_limit_is_sns_s_own(aws, request_of, more, status):
    """An event of exactly 256 KiB is published, one of a byte more refused."""
    body = f"event=A&auth[application_token]={TOKEN}&data="
    aws.ask(request_of(body))
    spare = MAX_MESSAGE_BYTES - len(aws.published.pop()["Message"].encode()) + more
    # JSON spells a control character in six letters; a form in base64 needs one byte for it.
    escaped, plain = divmod(spare, 6)
    assert aws.ask(request_of(body + "\1" * escaped + "x" * plain))[0] == status
    assert [len(one["Message"].encode()) for one in aws.published] == [MAX_MESSAGE_BYTES] * (
        status == 200
    )
