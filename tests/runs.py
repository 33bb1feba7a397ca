"""One record that is delivered again and again, for the tests of what a run does once."""

import asyncio
import time
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from relay.errors import TransientError
from relay.portal.fake import FakePortal
from relay.reaction.acting_user import ActingUser
from relay.reaction.checkpoint import Checkpoint
from relay.reaction.equal_calls import EqualCalls
from relay.reaction.lease import Lease
from relay.reaction.lookup import Lookup
from relay.reaction.portal import OncePortal
from relay.reaction.run import Operator, Run
from relay.reaction.write_notes import Author
from relay.state_batch import StateBatch
from relay.state_requests import StateRequests
from tests.dynamo import Dynamo

KEY = "done#follow_up#main.deal.5.b.7"
COMMENT = "crm.timeline.comment.add"
ADMIN = {"profile": {"ID": "1", "ADMIN": True}}
TASK = {"fields": {"TITLE": "Call", "RESPONSIBLE_ID": 1}}


def batch_of(table):
    """Return the State table in one event loop."""
    return StateBatch(StateRequests(table, "State"))


class NoNotes:
    """Notes nothing in the ledger."""

    author = Author("main", "main.deal.5.b.7", "t", ActingUser(1))

    async def before(self, *_):
        """Note nothing."""

    after = failed = before


def once(portal, run):
    """Return the portal of a reaction whose writes are not noted."""
    return OncePortal(portal, run, Lookup(portal), NoNotes())


class Deliveries:
    """A record that is delivered again and again; `offset` turns the time on, in seconds."""

    def __init__(self):
        self.table, self.logged, self.offset = Dynamo(), [], 0
        self.run = None

    def log(self, message, **fields):
        """Keep a log line."""
        self.logged.append((message, fields))

    def stored(self):
        """Return the checkpoint as it is stored."""
        return Checkpoint.of(KEY, self.table.rows.get(KEY), time.time())

    def run_of(self, checkpoint, token, operator=Operator()):  # noqa: B008  immutable
        """Return a run of the record, in a running loop."""
        lease = Lease(checkpoint, token, time.time() + 120, batch_of(self.table), EqualCalls())
        return Run(lease, self.log, operator)

    def deliver(self, portal, react, *, sent_back=False, confirmed_at=0.0):
        """Run a reaction for the record; return what it returns."""

        async def run():
            token = f"token {len(self.table.asked)}"
            operator = Operator(sent_back=sent_back, confirmed_at=confirmed_at)
            self.run = self.run_of(self.stored(), token, operator)
            failed = True
            try:
                result = await react(once(portal, self.run))
                failed = False
            finally:
                await self.run.finish(failed=failed)
            return result

        return asyncio.run(run())

    def lose(self, method, /, after_seconds=70, **params):
        """Deliver a call whose answer is lost, turn the time on; return the sent parameters."""
        portal = FakePortal()
        portal.fail(method, "MayHaveRunError")
        with pytest.raises(TransientError):
            self.deliver(portal, calls(method, **params))
        self.offset = after_seconds
        return portal.calls[0][1]


def calls(method, **params):
    """Return a reaction of one call."""
    return lambda portal: portal.call(method, **params)


@contextmanager
def in_trouble(table, operation, code="AccessDeniedException"):
    """Let the table refuse an operation."""
    error = {"Error": {"Code": code, "Message": f"not authorized to perform {operation}"}}
    table.trouble[operation] = ClientError(error, operation)
    yield
    del table.trouble[operation]
