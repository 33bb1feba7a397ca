"""What is deployed: complete, small, and the same under AWS's own runtime."""

import subprocess

import pytest
from cfnlint.decode.cfn_yaml import load

from local.emulator import RUNTIME, Emulator
from local.invoke import EVENTS, function_configuration
from ops.build import BUILD, ROOT
from tests.samples import reaches

TEMPLATE = load(str(ROOT / "template.yaml"))
REACTIONS = TEMPLATE["Mappings"]["Reaction"]
SWITCHED_ON = TEMPLATE["Resources"]["Fn::ForEach::React"][1]
MAX_BYTES = 6_000_000
FUNCTIONS = {
    name: resource["Properties"]["Handler"]
    for name, resource in TEMPLATE["Resources"].items()
    if not name.startswith("Fn::") and resource["Type"] == "AWS::Serverless::Function"
} | {f"{name}Function": REACTIONS[name]["Handler"] for name in SWITCHED_ON}

SAMPLES = {  # of what is no reaction, and so has no filter
    "IngressFunction": "http_*",
    "RepublishFunction": "sqs_spilled*",
    "TrackFunction": "sqs_deal_updated",
    "SweepFunction": "schedule_sweep",
    "AnnounceFunction": "stream_*",
    "ForwardFunction": "sqs_deal_*",
}


def matching(function):
    """Return the sample events that are a function's."""
    if function in SAMPLES:
        return EVENTS.glob(f"{SAMPLES[function]}.json")
    entry = REACTIONS[function.removesuffix("Function")]
    return [path for path in EVENTS.glob("sqs_*.json") if reaches(entry, path.stem)]


CASES = [
    pytest.param(function, path.stem, id=f"{function} {path.stem}")
    for function in FUNCTIONS
    for path in sorted(matching(function))
]


def test_every_function_has_a_sample_and_every_sample_a_function():
    """A handler without a sample event is untried; a sample is of one, or of a reaction off."""
    off = {
        path.stem
        for path in EVENTS.glob("sqs_*.json")
        if any(reaches(entry, path.stem) for entry in REACTIONS.values())
    }
    assert {case.values[0] for case in CASES} == set(FUNCTIONS)
    assert {case.values[1] for case in CASES} | off == {path.stem for path in EVENTS.glob("*.json")}


def imported(module, folder):
    """Return where a module comes from in the interpreter that knows only Lambda's packages."""
    code = f"import sys; sys.path.insert(0, '.'); import {module}; print({module}.__file__)"
    environment = {"AWS_DEFAULT_REGION": "eu-central-1", "POWERTOOLS_METRICS_NAMESPACE": "x"}
    done = subprocess.run(  # noqa: S603
        [RUNTIME, "-I", "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return (folder / done.stdout.strip()).resolve()


@pytest.mark.usefixtures("relay")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_imports_with_no_more_than_lambda_brings(function):
    """Out of the built artefact, in an interpreter that knows only Lambda's own packages."""
    module = FUNCTIONS[function].rpartition(".")[0]
    assert imported(module, BUILD / function).is_relative_to(BUILD / function)


@pytest.mark.usefixtures("relay")
@pytest.mark.parametrize("name", [name for name in REACTIONS if name not in SWITCHED_ON])
def test_a_reaction_that_is_off_could_be_switched_on(name):
    """It has no function, but the artefact that all share has all that it imports."""
    folder = BUILD / "JournalFunction"
    module = REACTIONS[name]["Handler"].rpartition(".")[0]
    assert imported(module, folder).is_relative_to(folder)


@pytest.mark.usefixtures("relay")
def test_ingress_needs_neither_requests_nor_the_portal_client():
    """What the portal waits for loads only what it needs."""
    code = (
        "import sys; sys.path.insert(0, '.'); import relay.ingress.app;"
        "print([m for m in sys.modules if m.split('.')[0] == 'requests' or 'relay.portal' in m])"
    )
    done = subprocess.run(  # noqa: S603
        [RUNTIME, "-I", "-c", code],
        cwd=BUILD / "IngressFunction",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.usefixtures("relay")
def test_the_artefact_is_small_and_pure():
    """Under 6 MB unzipped, byte code included, nothing compiled for one processor."""
    files = [path for path in (BUILD / "IngressFunction").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MAX_BYTES
    assert not [path for path in files if path.suffix in {".so", ".pyd"}]
    assert any(path.suffix == ".pyc" for path in files)


@pytest.mark.parametrize(("function", "sample"), CASES)
def test_a_sample_event_is_handled_under_awss_runtime(relay, load_event, function, sample):
    """The files that `sam local invoke -e` takes, run by AWS's runtime interface."""
    handler, variables = function_configuration(relay.aws.endpoint, "relay", function)
    assert handler == FUNCTIONS[function]
    with Emulator(handler, variables, BUILD / function) as emulator:
        answer = emulator.invoke(load_event(sample))
        log = emulator.log()
    if function == "IngressFunction":
        assert answer["statusCode"] == 401
    elif function == "SweepFunction":
        assert list(answer) == ["main"], log
    else:
        assert "batchItemFailures" in answer, log
    assert '"_aws"' in log
