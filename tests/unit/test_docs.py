"""docs/: whatever an operator or a developer meets by name has a line in docs/reference.md."""

import re
from pathlib import Path

import pytest

from ops.template_file import read_template
from relay import errors

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/reference.md").read_text("utf-8")
NAMED = set(re.findall(r"`([^`\n]+)`", REFERENCE))
TEMPLATE = read_template(ROOT / "template.yaml")
PAGES = [ROOT / "README.md", ROOT / "README.ru.md", ROOT / "CONTRIBUTING.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))


def alarms(resources):
    """Return the alarms' names: a reaction's with `<Name>`, those of other loops written out."""
    found = set()
    for name, resource in resources.items():
        if name.startswith("Fn::ForEach::"):
            variable, values, body = resource
            reactions = name == "Fn::ForEach::React"
            for value in ["<Name>"] if reactions else values:
                found |= {one.replace(f"${{{variable}}}", value) for one in alarms(body)}
        elif resource["Type"] == "AWS::CloudWatch::Alarm":
            found.add(name)
    return found


def metrics():
    """Return the names under which the package counts, and the gateway's."""
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "src/relay").rglob("*.py"))
    counted = re.findall(r'(?:add_metric|count)\(\s*"(\w+)"', source)
    counted += re.findall(r'_counts\["(\w+)"\]', source)
    counted += [f"refused_{one.code}" for one in errors.RejectedRequestError.__subclasses__()]
    resources = TEMPLATE["Resources"].values()
    filters = [
        one for one in resources if "Type" in one and one["Type"] == "AWS::Logs::MetricFilter"
    ]
    for one in filters:
        counted += [each["MetricName"] for each in one["Properties"]["MetricTransformations"]]
    return set(counted)


def targets():
    """Return the targets of the Makefile that its help lists."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return {f"make {name}" for name in re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("parameter", set(TEMPLATE["Parameters"])),
        ("output", set(TEMPLATE["Outputs"])),
        ("alarm", alarms(TEMPLATE["Resources"])),
        ("metric", metrics()),
        ("error", {name for name in vars(errors) if name.endswith("Error")}),
        ("command", targets()),
    ],
)
def test_everything_with_a_name_has_a_line(kind, names):
    """Each parameter, output, alarm, metric, error and command stands in the reference."""
    assert names, f"no {kind} was found"
    assert names <= NAMED


def test_each_default_that_is_stated_is_the_template_s():
    """The table of parameters shows the defaults that are deployed."""
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| ", REFERENCE, re.MULTILINE)
    stated = {name: default for name, default in rows if name in TEMPLATE["Parameters"]}
    deployed = {name: str(one["Default"]) or "none" for name, one in TEMPLATE["Parameters"].items()}
    assert stated == deployed


def test_no_command_is_made_up():
    """Each `make` command that a page shows is a target of the Makefile."""
    shown = {
        found
        for page in PAGES
        for found in re.findall(r"\bmake [a-z]+(?:-[a-z]+)*", _code(page.read_text("utf-8")))
    }
    assert shown <= targets() | {"make judges", "make env"}


def _code(text):
    """Return what stands in blocks of code and between backticks."""
    blocks = re.findall(r"^```.*?^```$", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join(blocks + re.findall(r"`([^`\n]+)`", rest))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    """A link to a file of the repository, or to a heading of a page, has something there."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        name, _, heading = target.partition("#")
        path = (page.parent / name) if name else page
        assert path.exists(), target
        if heading:
            assert heading in _anchors(path.read_text("utf-8")), target


def test_every_file_that_a_contributor_is_sent_to_is_there():
    """The files of CONTRIBUTING.md's tree and of its answers exist."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = re.findall(r"[\w/]+\.(?:py|yaml)\b", text)
    rooms = [ROOT, ROOT / "src/relay", *(ROOT / "src/relay").iterdir()]
    lost = [name for name in named if not any((room / name).is_file() for room in rooms)]
    assert named
    assert lost == []


def _anchors(text):
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
