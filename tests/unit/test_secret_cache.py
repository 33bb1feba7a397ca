"""relay.secret_cache: one read at a time, and values that outlive a failure of SSM."""

import threading
from itertools import pairwise

import pytest
from botocore.exceptions import ReadTimeoutError

from relay.secret_cache import KEEP_SECONDS, MAX_GROWTH, RETRY_SECONDS, SecretCache

HANGS = ReadTimeoutError(endpoint_url="https://ssm")


class Ssm:
    """An SSM with a clock; each read waits while `released` is not set."""

    def __init__(self):
        self.now, self.error, self.reads, self.value = 0.0, None, 0, "a"
        self.begun, self.released = threading.Event(), threading.Event()
        self.released.set()
        self.cache = SecretCache(self.read, lambda: self.now)

    def read(self):
        """Return the value, or raise the error, that the test has set."""
        self.reads += 1
        self.begun.set()
        assert self.released.wait(5)
        if self.error:
            raise self.error
        return {"main": self.value}


@pytest.fixture
def ssm():
    """Return an SSM that answers."""
    return Ssm()


def in_threads(number, call):
    """Start a call in threads; return the threads and the list of their results."""
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(call())) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads, answers


def test_an_empty_cache_reads_once_for_all_threads(ssm):
    """Threads that find no values wait for the one thread that reads, and get its values."""
    ssm.released.clear()
    threads, answers = in_threads(20, ssm.cache.values)
    assert ssm.begun.wait(5)
    ssm.released.set()
    for thread in threads:
        thread.join(5)
    assert (ssm.reads, answers) == (1, [{"main": "a"}] * 20)


def test_a_thread_gets_the_older_values_while_another_one_reads(ssm):
    """A hanging SSM delays the thread that reads; the others get the values read before."""
    ssm.cache.values()
    ssm.now, ssm.value = KEEP_SECONDS, "b"
    ssm.begun.clear()
    ssm.released.clear()
    threads, answers = in_threads(1, ssm.cache.values)
    assert ssm.begun.wait(5)
    assert ssm.cache.values() == {"main": "a"}
    ssm.released.set()
    threads[0].join(5)
    assert (answers, ssm.cache.values(), ssm.reads) == ([{"main": "b"}], {"main": "b"}, 2)


def test_a_failed_read_is_remembered_for_some_seconds(ssm):
    """An empty cache raises the same error without a read, and reads again after RETRY_SECONDS."""
    ssm.error = HANGS
    for ssm.now in (0, 1, RETRY_SECONDS - 0.1):
        for _ in range(100):
            with pytest.raises(ReadTimeoutError):
                ssm.cache.values()
    assert (ssm.reads, ssm.cache.error) == (1, HANGS)
    ssm.error, ssm.now = None, 2 * RETRY_SECONDS
    assert ssm.cache.values() == {"main": "a"}
    assert (ssm.reads, ssm.cache.error, ssm.cache.failures) == (2, None, 0)


def test_the_time_between_failed_reads_grows_until_one_works(ssm):
    """The time between failed reads doubles up to 20 s, jittered to up to twice that."""
    ssm.cache.values()
    ssm.error, times = HANGS, []
    for ssm.now in range(10, 400):
        reads = ssm.reads
        assert ssm.cache.values(5) == {"main": "a"}
        times += [ssm.now] * (ssm.reads - reads)
    gaps = [late - early for early, late in pairwise(times)]
    assert RETRY_SECONDS <= gaps[0] <= 2 * RETRY_SECONDS + 1
    most = RETRY_SECONDS * MAX_GROWTH
    assert all(most <= gap <= 2 * most + 1 for gap in gaps[3:])
    ssm.error, ssm.now = None, 1000
    ssm.cache.values()
    ssm.now, reads = 1005, ssm.reads
    ssm.cache.values(5)
    assert ssm.reads == reads + 1


def test_an_error_that_is_not_of_aws_is_not_remembered(ssm):
    """A missing setting is raised each time, after a read that releases the lock."""
    ssm.error = KeyError("SECRETS_PREFIX")
    for reads in (1, 2):
        with pytest.raises(KeyError):
            ssm.cache.values()
        assert ssm.reads == reads


def test_caches_that_failed_together_do_not_retry_together():
    """Of 50 caches that failed at the same moment, some retry 7.5 s later and some do not yet."""
    crowd, due = [Ssm() for _ in range(50)], []
    for ssm in crowd:
        ssm.error = HANGS
        for ssm.now in (0, 1.5 * RETRY_SECONDS):
            with pytest.raises(ReadTimeoutError):
                ssm.cache.values()
        due.append(ssm.reads)
    assert set(due) == {1, 2}
