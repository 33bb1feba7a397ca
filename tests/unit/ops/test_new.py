"""ops.new: a reaction is made whole or not at all, and unmade exactly."""

import json
from difflib import SequenceMatcher

import pytest

from ops.new import files, new, remove
from ops.template_file import read_template
from relay.change import Change
from tests.samples import passes, short_template


@pytest.fixture
def root(tmp_path):
    """Return a folder with the files that `make new` reads and writes."""
    for path in files(tmp_path, "any").values():
        path.parent.mkdir(parents=True)
    (tmp_path / "template.yaml").write_text(short_template(), "utf-8")
    (tmp_path / "src/relay/reactions/journal.py").write_text("", "utf-8")
    return tmp_path


def state(root):
    """Return every file and its content."""
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("on", "fields", "topic", "policy"),
    [
        (
            "deal.updated",
            "stageId, title",
            "ChangesTopic",
            {
                "type": ["com.bitrix24.deal.updated"],
                "data": {"origin": ["portal"], "changed": ["stageId", "title"]},
            },
        ),
        (
            "dynamic_128.added",
            "",
            "ChangesTopic",
            {"type": ["com.bitrix24.dynamic_128.added"], "data": {"origin": ["portal"]}},
        ),
        (
            "onCrmContactAdd",
            "",
            "EventsTopic",
            {"type": ["com.bitrix24.event.oncrmcontactadd"]},
        ),
        (
            "ONCRMDYNAMICITEMADD_128",
            "",
            "EventsTopic",
            {"type": ["com.bitrix24.event.oncrmdynamicitemadd_128"]},
        ),
    ],
)
def test_a_new_reaction_is_in_the_template_and_removed_without_a_trace(
    root, on, fields, topic, policy
):
    """`new` adds an entry and a name to the template; `remove` restores every byte."""
    before = state(root)
    written = new(root, "made_by_test", on, fields)
    assert set(written) == {root / "template.yaml", *files(root, "made_by_test").values()}
    template = read_template(root / "template.yaml")
    entry = template["Mappings"]["Reaction"]["MadeByTest"]
    assert entry["Handler"] == "relay.reactions.made_by_test.handler"
    assert (entry["Topic"], json.loads(entry["Filter"])) == (topic, policy)
    assert template["Resources"]["Fn::ForEach::React"][1][-1] == "MadeByTest"
    sample = json.loads(files(root, "made_by_test")["sample"].read_text("utf-8"))
    assert passes(policy, json.loads(sample["Records"][0]["body"]))
    old, changed = (
        text.splitlines()
        for text in (
            before[root / "template.yaml"].decode(),
            (root / "template.yaml").read_text("utf-8"),
        )
    )
    edits = SequenceMatcher(None, old, changed, autojunk=False).get_opcodes()
    assert [(edit[0], edit[4] - edit[3]) for edit in edits if edit[0] != "equal"] == [
        ("insert", 4),
        ("replace", 1),
    ]
    assert set(remove(root, "made_by_test")) == set(written)
    assert state(root) == before


def test_two_are_removed_in_any_order(root):
    """Removing the older of two reactions leaves the newer one whole."""
    before = state(root)
    new(root, "made_one", "deal.added")
    new(root, "made_one_more", "lead.deleted")
    remove(root, "made_one")
    entries = read_template(root / "template.yaml")["Mappings"]["Reaction"]
    assert "MadeOneMore" in entries
    assert "MadeOne" not in entries
    remove(root, "made_one_more")
    assert state(root) == before


def test_what_a_person_took_out_already_is_no_hindrance(root):
    """A reaction whose entry is already gone loses its files all the same."""
    before, template = state(root), root / "template.yaml"
    new(root, "made_ada", "deal.added")
    template.write_bytes(before[template])
    remove(root, "made_ada")
    assert state(root) == before


@pytest.mark.parametrize(
    ("name", "on", "fields", "reason"),
    [
        ("", "deal.updated", "", "called like follow_up"),
        ("MadeByTest", "deal.updated", "", "called like follow_up"),
        ("call-ada", "deal.updated", "", "called like follow_up"),
        ("../ada", "deal.updated", "", "called like follow_up"),
        ("_ada", "deal.updated", "", "called like follow_up"),
        ("made_ada\n", "deal.updated", "", "called like follow_up"),
        ("a" * 31, "deal.updated", "", "called like follow_up"),
        ("class", "deal.updated", "", "its file uses the word itself"),
        ("portal", "deal.updated", "", "its file uses the word itself"),
        ("journal", "deal.updated", "", r"journal.py, Journal in template.yaml already"),
        ("follow__up", "deal.updated", "", "called like follow_up"),
        ("ingress", "deal.updated", "", "Ingress in template.yaml already"),
        ("forward", "deal.updated", "", "Forward in template.yaml already"),
        ("made_ada", "", "", "no change or event ''"),
        (
            "made_ada",
            "deal.change",
            "",
            r"changes: lead, deal, .*alone: added or updated\nevents: [0-9]+ codes",
        ),
        ("made_ada", "ONCRMDEALUPDAT", "", "did you mean ONCRMDEALUPDATE"),
        (
            "made_ada",
            "ONCRMDYNAMICITEMADD_{ENTITY_TYPE_ID}",
            "",
            "events: ONCRMDYNAMICITEMADD_<entityTypeId>\n",
        ),
        ("made_ada", "ONCRMDEALUPDATE_128", "", "no change or event"),
        ("made_ada", "dynamic_.added", "", "no change or event"),
        ("made_ada", "dynamic_0.added", "", "no change or event"),
        ("made_ada", "deal.deleted", "stageId", "FIELD needs added or updated"),
        ("made_ada", "deal.", "", "no change or event"),
        ("made_ada", "deal", "f" * 51, "is no field"),
        ("made_ada", "ONCRMDEALUPDATE", "stageId", "FIELD and TO need a change"),
        ("made_ada", "deal.updated", "stage-id", "'stage-id' is no field"),
        ("made_ada", "deal.updated", "a,,b", "'' is no field"),
        ("made_ada", "deal.updated", "é", "'é' is no field"),
        ("made_ada", "deal", "stageId,updatedTime", "updatedTime follows each edit"),
        ("made_ada", "task", "changedDate", "changedDate follows each edit"),
        (
            "made_ada",
            "deal.updated",
            ",".join(f"f{n}" for n in range(38)),
            "this one has 3 and 152",
        ),
        ("made_ada", "deal", ",".join(f"f{n}" for n in range(19)), "this one has 3 and 152"),
    ],
)
def test_what_can_not_be_is_refused_and_nothing_written(root, name, on, fields, reason):
    """A refusal lists the choices or the spelling, and writes nothing."""
    before = state(root)
    with pytest.raises(ValueError, match=reason):
        new(root, name, on, fields)
    assert state(root) == before


@pytest.mark.parametrize(
    ("on", "fields", "to", "reason"),
    [
        ("deal", "", "WON", "TO needs one FIELD"),
        ("deal", "stageId,title", "WON", "TO needs one FIELD"),
        ("deal", "stageId", "WON,", "TO takes values"),
        ("deal", "stageId", "it's", "TO takes values"),
        ("deal", "title", "x" * 61, "TO takes values"),
        ("ONCRMDEALADD", "", "WON", "FIELD and TO need a change"),
    ],
)
def test_values_that_no_filter_holds_are_refused(root, on, fields, to, reason):
    """Bad values are refused with the spelling, and nothing is written."""
    before = state(root)
    with pytest.raises(ValueError, match=reason):
        new(root, "made_ada", on, fields, to)
    assert state(root) == before


@pytest.mark.parametrize(
    "types",
    [["deal.added", "deal.updated"], ["deal.added"]],
)
@pytest.mark.parametrize(
    ("field", "to", "wanted"),
    [
        ("stageSemanticId", "S", ["S"]),
        ("stageId", "WON, LOSE", ["WON", "LOSE"]),
        ("assignedById", "5,-6", [{"numeric": ["=", 5]}, {"numeric": ["=", -6]}]),
        ("UF_CRM_1", "5", ["5", {"numeric": ["=", 5]}]),
        ("UF_CRM_1", "C5", ["C5"]),
        ("opportunity", "100.50", [{"numeric": ["=", 100.5]}]),
    ],
)
def test_a_value_is_asked_of_what_is_born_with_it_too(root, types, field, to, wanted):
    """TO is in the filter, ids as numbers, and the sample passes the filter."""
    new(root, "made_ada", "deal" if len(types) > 1 else types[0], field, to)
    entry = read_template(root / "template.yaml")["Mappings"]["Reaction"]["MadeAda"]
    policy = json.loads(entry["Filter"])
    assert policy == {
        "type": [f"com.bitrix24.{one}" for one in types],
        "data": {"origin": ["portal"], "changed": [field], "after": {field: wanted}},
    }
    sample = json.loads(files(root, "made_ada")["sample"].read_text("utf-8"))
    body = json.loads(sample["Records"][0]["body"])
    assert passes(policy, body)
    change = Change.from_cloudevent(body)
    assert change.moved(field, to=change.after[field])
    if change.action == "added":
        assert (set(change.changed), change.before) == (set(change.after), {})


def test_as_many_fields_as_sns_takes_are_taken(root):
    """A filter of 37 fields, which are 148 combinations, is made."""
    new(root, "made_ada", "deal.updated", ",".join(f"f{n}" for n in range(37)))
    assert files(root, "made_ada")["sample"].exists()


@pytest.mark.parametrize("name", ["journal", "nobody", "", "../x"])
def test_only_what_was_made_is_removed(root, name):
    """A reaction that `new` did not make, and a missing one, are refused."""
    before = state(root)
    with pytest.raises(ValueError, match=r"Journal out of the list|there is no reaction"):
        remove(root, name)
    assert state(root) == before


def test_a_template_without_reactions_is_told(root):
    """A template without the mapping is refused and left as it is."""
    (root / "template.yaml").write_text("Resources: {}\n", "utf-8")
    before = state(root)
    with pytest.raises(ValueError, match="no `Reaction:` mapping"):
        new(root, "made_ada", "deal.updated")
    assert state(root) == before
