"""relay.settings: errors name all that is missing; secrets are cached; clients give up early."""

import io
import logging
import runpy
import sys
from types import SimpleNamespace

import pytest
from aws_lambda_powertools.logging import Logger
from botocore.exceptions import EndpointConnectionError

from relay import secret_cache, settings
from relay.errors import ConfigurationError, StateError
from relay.secret_cache import KEEP_SECONDS


class ParameterStore:
    """Answers as SSM does: what is right below a path, decrypted if asked to, ten at a time."""

    def __init__(self):
        self.stored = {}

    def get_parameters_by_path(self, *, Path, WithDecryption, NextToken="0"):  # noqa: N803
        """Return a page of parameters, and where the next one begins."""
        found = [
            {"Name": name, "Value": value if WithDecryption else "encrypted"}
            for name, value in sorted(self.stored.items())
            if name.rpartition("/")[0] == Path
        ]
        end = int(NextToken) + 10
        more = {"NextToken": str(end)} if found[end:] else {}
        return {"Parameters": found[int(NextToken) : end]} | more


@pytest.fixture
def _forgotten():
    """Keep nothing from another test, and nothing for it."""
    settings.forget()
    yield
    settings.forget()


@pytest.fixture
def ssm(aws_clients):
    """Return a Parameter Store with nothing in it."""
    aws_clients["ssm"] = made = ParameterStore()
    return made


@pytest.fixture
def clock(monkeypatch):
    """Return the clock of the caches, which stands still until the test moves it."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(secret_cache, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def put(ssm, name, value):
    """Store one secret below the test's prefix."""
    ssm.stored[f"/relay/test/{name}"] = value


def test_all_missing_variables_are_named_in_one_error(monkeypatch):
    """The error names every variable that is missing or empty, and the remedy."""
    monkeypatch.setenv("B_URL", "")
    with pytest.raises(ConfigurationError, match="A_URL, B_URL not set; deploy"):
        settings.read("A_URL", "SECRETS_PREFIX", "B_URL")


def test_a_flag_is_on_only_if_it_is_true(monkeypatch):
    """`1` and an empty value mean off, like a missing variable."""
    assert not settings.flag("ALLOW_HTTP")
    for value, on in (("true", True), ("1", False), ("", False)):
        monkeypatch.setenv("ALLOW_HTTP", value)
        assert settings.flag("ALLOW_HTTP") is on


def test_every_portals_secrets_are_read_in_one_go(ssm):
    """Twelve secrets, more than a page of SSM's answer, come back decrypted as {name: secret}."""
    for number in range(12):
        put(ssm, f"application-tokens/p{number}", f"token-{number}\n")
    put(ssm, "webhook-urls/write/p0", "https://a")
    assert settings.secrets("application-tokens") == {f"p{n}": f"token-{n}\n" for n in range(12)}


def test_a_missing_webhook_is_named_with_its_remedy(ssm, clock):
    """The error names parameter and command; the URL is found 2 s after it was stored."""
    put(ssm, "webhook-urls/write/shop", " ")
    for portal in ("main", "shop"):
        with pytest.raises(
            ConfigurationError, match=f"/relay/test/webhook-urls/write/{portal} .*make connect"
        ):
            settings.webhook_url("write", portal)
    put(ssm, "webhook-urls/write/main", "https://a/rest/1/x/\n")
    clock.now += settings.MISSING_SECONDS
    assert settings.webhook_url("write", "main") == "https://a/rest/1/x/"


def test_a_portal_is_alone_as_long_as_no_other_has_a_webhook(ssm, clock):
    """Nobody is known to be alone before a webhook was read."""
    assert not settings.is_alone("read")
    put(ssm, "webhook-urls/read/main", "https://a")
    assert settings.webhook_url("read", "main") == "https://a"
    assert settings.is_alone("read")
    put(ssm, "webhook-urls/read/shop", "https://b")
    clock.now += KEEP_SECONDS + 1
    assert not settings.is_alone("read")


def test_own_secrets_are_found_and_the_missing_named_together(ssm, clock):
    """A reaction gets its secrets in the order of their names; one error names all missing ones."""
    put(ssm, "secrets/a", "1\n")
    with pytest.raises(ConfigurationError, match=r"/secrets/b, /relay/test/secrets/c .*store it"):
        settings.own_secrets("b", "a", "c")
    put(ssm, "secrets/b", "2")
    clock.now += settings.MISSING_SECONDS
    assert settings.own_secrets("b", "a") == ["2", "1"]


def test_a_webhook_url_is_cached_for_five_minutes(ssm, clock):
    """A changed URL is read after 300 s, and no earlier."""
    put(ssm, "webhook-urls/write/main", "https://a")
    assert settings.webhook_url("write", "main") == "https://a"
    put(ssm, "webhook-urls/write/main", "https://b")
    assert settings.webhook_url("write", "main") == "https://a"
    clock.now += KEEP_SECONDS
    assert settings.webhook_url("write", "main") == "https://b"


def test_a_hundred_records_without_a_secret_ask_once(ssm, monkeypatch):
    """A hundred look-ups of a missing URL read SSM once."""
    put(ssm, "webhook-urls/write/main", "https://a")
    asked, secrets = [], settings.secrets
    monkeypatch.setattr(settings, "secrets", lambda branch: asked.append(branch) or secrets(branch))
    for _ in range(100):
        with pytest.raises(ConfigurationError):
            settings.webhook_url("write", "other")
    assert settings.webhook_url("write", "main") == "https://a"
    assert asked == ["webhook-urls/write"]


def test_cached_secrets_stay_valid_while_ssm_fails(ssm, clock, monkeypatch):
    """During an outage a URL read before is returned, and one never read raises StateError."""
    put(ssm, "webhook-urls/write/main", "https://a")
    settings.webhook_url("write", "main")
    clock.now += KEEP_SECONDS

    def down(branch):
        raise EndpointConnectionError(endpoint_url=branch)

    monkeypatch.setattr(settings, "secrets", down)
    assert settings.webhook_url("write", "main") == "https://a"
    with pytest.raises(StateError, match="Parameter Store"):
        settings.webhook_url("write", "new")  # it may be stored since
    with pytest.raises(StateError, match="Parameter Store"):
        settings.webhook_url("read", "main")
    with pytest.raises(StateError, match="Parameter Store"):
        settings.own_secrets("a")


@pytest.mark.usefixtures("_forgotten")
def test_a_smaller_model_is_used_where_the_build_made_one(monkeypatch, tmp_path):
    """Clients load botocore's models from the folder that the build made in the artefact."""
    monkeypatch.setattr(settings, "_MODELS", tmp_path)
    monkeypatch.delenv("AWS_DATA_PATH", raising=False)
    settings.client("ssm")
    assert settings.os.environ["AWS_DATA_PATH"] == str(tmp_path)
    monkeypatch.delenv("AWS_DATA_PATH")


@pytest.mark.usefixtures("_forgotten")
def test_clients_give_up_early():
    """A client makes two attempts, of 1 s to connect and 2 s to read, and exists once."""
    config = settings.client("sns").meta.config
    assert (config.connect_timeout, config.read_timeout) == (1, 2)
    assert config.retries["total_max_attempts"] == 2
    assert settings.client("sns") is settings.client("sns")


@pytest.mark.usefixtures("_forgotten")
def test_clients_name_their_function(monkeypatch):
    """The header that names a client is made once, and has the function's name."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "relay-TrackFunction-1")

    def stop(request, **_):
        raise LookupError(request.headers["User-Agent"])

    client = settings.client("sns")
    client.meta.events.register("before-send", stop)
    with pytest.raises(LookupError, match=r"^b'bitrix24-relay/relay-TrackFunction-1 "):
        client.publish(TopicArn="arn:aws:sns:eu-central-1:000000000000:topic", Message="text")


def test_a_log_line_with_half_an_emoji_is_written(monkeypatch):
    """What UTF-8 can't encode is escaped; Lambda's stdout would lose the whole line."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "utf-8", write_through=True))
    runpy.run_path(settings.__file__)
    Logger(service="half").error("dead-lettered", extra={"reason": "\ud83d Ё"})
    (line,) = written.getvalue().decode().splitlines()
    assert '"reason":"\\ud83d Ё"' in line


@pytest.mark.parametrize(
    ("level", "kept"),
    [
        ("", "DEBUG"),
        ("DEBUG", "DEBUG"),
        ("INFO", "DEBUG"),
        ("WARNING", "WARNING"),
        ("ERROR", "ERROR"),
    ],
)
def test_a_higher_level_than_lambdas_own_drops_lines_in_the_process(monkeypatch, level, kept):
    """With WARNING and ERROR lower lines are dropped here, as Lambda would drop metrics too."""
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", level)
    logger = logging.getLogger("of a test")
    logger.setLevel(logging.DEBUG)
    try:
        settings.drop_lower_lines()
        levels = ("DEBUG", "INFO", "WARNING", "ERROR")
        written = [
            one for one in levels if logger.isEnabledFor(logging.getLevelNamesMapping()[one])
        ]
    finally:
        logging.disable(logging.NOTSET)
    assert written[0] == kept
