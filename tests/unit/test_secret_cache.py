"""relay.secret_cache: one read at a time, values outlive SSM, a failed read is remembered."""

import threading
from itertools import pairwise

import pytest
from botocore.exceptions import ReadTimeoutError

from relay.secret_cache import KEEP_SECONDS, MOST_GROWTH, RETRY_SECONDS, SecretCache

HANGS = ReadTimeoutError(endpoint_url="https://ssm")


class Ssm:
    """An SSM with a clock; `held` makes each read wait until it is released."""

    def __init__(self):
        self.now, self.error, self.reads, self.value = 0.0, None, 0, "a"
        self.begun, self.held = threading.Event(), threading.Event()
        self.held.set()
        self.cache = SecretCache(self.read, lambda: self.now)

    def read(self):
        """Answer as it was set."""
        self.reads += 1
        self.begun.set()
        assert self.held.wait(5)
        if self.error:
            raise self.error
        return {"main": self.value}


@pytest.fixture
def ssm():
    """Return an SSM that answers."""
    return Ssm()


def in_threads(number, call):
    """Start a call in threads; returns them and the list of what they return."""
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(call())) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads, answers


def test_a_cold_cache_asks_once_for_all_threads(ssm):
    """The threads that come while one reads wait for what it reads."""
    ssm.held.clear()
    threads, answers = in_threads(20, ssm.cache.values)
    assert ssm.begun.wait(5)
    ssm.held.set()
    for thread in threads:
        thread.join(5)
    assert (ssm.reads, answers) == (1, [{"main": "a"}] * 20)


def test_a_stale_value_counts_while_another_thread_reads(ssm):
    """A hanging SSM holds up the one that asks it, nobody else."""
    ssm.cache.values()
    ssm.now, ssm.value = KEEP_SECONDS, "b"
    ssm.begun.clear()
    ssm.held.clear()
    threads, answers = in_threads(1, ssm.cache.values)
    assert ssm.begun.wait(5)
    assert ssm.cache.values() == {"main": "a"}
    ssm.held.set()
    threads[0].join(5)
    assert (answers, ssm.cache.values(), ssm.reads) == ([{"main": "b"}], {"main": "b"}, 2)


def test_a_failed_read_is_remembered_for_some_seconds(ssm):
    """A cold cache raises the same error without a read, then reads once more."""
    ssm.error = HANGS
    for ssm.now in (0, 1, RETRY_SECONDS - 0.1):
        for _ in range(100):
            with pytest.raises(ReadTimeoutError):
                ssm.cache.values()
    assert (ssm.reads, ssm.cache.failed) == (1, HANGS)
    ssm.error, ssm.now = None, 2 * RETRY_SECONDS
    assert ssm.cache.values() == {"main": "a"}
    assert (ssm.reads, ssm.cache.failed, ssm.cache.failures) == (2, None, 0)


def test_failed_reads_become_rarer_until_one_works(ssm):
    """A crowd that SSM throttles asks more and more seldom, and as often as before after that."""
    ssm.cache.values()
    ssm.error, times = HANGS, []
    for ssm.now in range(10, 400):
        reads = ssm.reads
        assert ssm.cache.values(5) == {"main": "a"}
        times += [ssm.now] * (ssm.reads - reads)
    gaps = [late - early for early, late in pairwise(times)]
    assert RETRY_SECONDS <= gaps[0] <= 2 * RETRY_SECONDS + 1
    most = RETRY_SECONDS * MOST_GROWTH
    assert all(most <= gap <= 2 * most + 1 for gap in gaps[3:])
    ssm.error, ssm.now = None, 1000
    ssm.cache.values()
    ssm.now, reads = 1005, ssm.reads
    ssm.cache.values(5)
    assert ssm.reads == reads + 1


def test_a_fault_of_another_kind_is_not_remembered(ssm):
    """A missing setting is raised to each that asks, and locks nobody out."""
    ssm.error = KeyError("SECRETS_PREFIX")
    for reads in (1, 2):
        with pytest.raises(KeyError):
            ssm.cache.values()
        assert ssm.reads == reads


def test_a_throttled_crowd_spreads():
    """Caches that failed at the same moment are not due at the same moment."""
    crowd, due = [Ssm() for _ in range(50)], []
    for ssm in crowd:
        ssm.error = HANGS
        for ssm.now in (0, 1.5 * RETRY_SECONDS):
            with pytest.raises(ReadTimeoutError):
                ssm.cache.values()
        due.append(ssm.reads)
    assert set(due) == {1, 2}
