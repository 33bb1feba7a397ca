"""relay.field_names: one field, however it is spelt."""

import pytest

from relay.errors import SpellingError
from relay.field_names import camel_case, check_spelling, plain


@pytest.mark.parametrize("name", ["STAGE_ID", "stageId", "stage_id"])
def test_all_spellings_of_a_field_are_one_plain_name(name):
    """Methods of different age spell one field in different ways."""
    assert plain(name) == "stageid"


def test_a_name_in_capitals_has_a_camel_case():
    """Newer methods answer so."""
    assert [camel_case(one) for one in ("ID", "STAGE_ID", "title")] == ["id", "stageId", "title"]


@pytest.mark.parametrize(
    ("there", "asked"),
    [("stageId", "STAGE_ID"), ("UF_CRM_12", "ufCrm_12"), ("ufCrm_12", "UF_CRM_12")],
)
def test_another_spelling_is_an_error_that_names_the_right_one(there, asked):
    """A reaction that asks for it would never hear of the field."""
    with pytest.raises(SpellingError, match=f"^{asked} is spelt {there} in a change"):
        check_spelling(["title", there], asked)


@pytest.mark.parametrize("asked", ["stageId", "closedate", "UF_CRM_1_2"])
def test_other_fields_may_be_asked_for(asked):
    """The field itself, one that is empty, and a user field of similar letters are no mistake."""
    check_spelling(["stageId", "UF_CRM_12"], asked)
