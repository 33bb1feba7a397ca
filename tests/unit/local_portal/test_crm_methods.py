"""Methods of crm that are more than a row of a family."""

import pytest


def test_a_comment_on_two_deals_goes_from_one_by_name(full):
    """Without a name it is refused; the last deal's comment is deleted."""
    method = "crm.timeline.comment.delete"
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "Hello"}
    number = full.call("crm.timeline.comment.add", fields=fields)
    second = {"OWNER_ID": number, "ENTITY_ID": 2, "ENTITY_TYPE": "deal"}
    full.call("crm.timeline.bindings.bind", fields=second)
    assert full.refusal(method, id=number).code == "MULTIPLE_BINDINGS"
    named = {"id": number, "ownerTypeId": 2}
    assert full.refusal(method, **named, ownerId=999).code == "OWNER_NOT_FOUND"
    assert full.refusal(method, **named, ownerId=3).code == "NOT_FOUND"
    full.call(method, **named, ownerId=1)
    bound = full.call("crm.timeline.bindings.list", filter={"OWNER_ID": number})
    assert [row["ENTITY_ID"] for row in bound] == ["2"]
    full.call(method, id=number)
    assert full.refusal("crm.timeline.comment.get", id=number).text == "Not found."


def test_settings_of_a_type_of_field(full):
    """Those that a request may give, with their types."""
    answer = full.call("crm.userfield.settings.fields", type="double")
    assert {name: one["type"] for name, one in answer.items()} == {
        "PRECISION": "int",
        "DEFAULT_VALUE": "double",
    }


def test_a_row_that_names_an_unknown_field_is_not_updated(full):
    """The page says so of product rows alone."""
    row = {"ownerType": "D", "ownerId": 1, "productName": "Chair", "price": 5}
    number = full.call("crm.item.productrow.add", fields=row)["productRow"]["id"]
    refused = full.refusal("crm.item.productrow.update", id=number, fields={"colour": "red"})
    assert refused.code == "INVALID_ARG_VALUE"


def test_who_paid_is_kept_with_the_payment(full):
    """Paying and taking it back change all three fields; an absent item has no payment."""
    for method, paid in (("pay", "Y"), ("unpay", "N")):
        assert full.call(f"crm.item.payment.{method}", id=1) is True
        row = full.call("crm.item.payment.get", id=1)
        assert [row["paid"], bool(row["datePaid"]), row["empPaidId"]] == [
            paid,
            paid == "Y",
            1 if paid == "Y" else None,
        ]
    assert row["accountNumber"] == "1/1"
    refused = full.refusal("crm.item.payment.add", entityTypeId=2, entityId=999)
    assert (refused.code, refused.text) == ("0", "Entity with identifier №999 does not exist")
    assert full.refusal("crm.item.payment.product.list", paymentId=9).code == "0"


def test_a_document_is_numbered_and_named_after_its_template(full):
    """A number may be given; an address for everybody comes and goes."""
    method = "crm.documentgenerator.document"
    of = {"templateId": 39, "entityTypeId": 2, "entityId": 1}
    titles = [
        full.call(f"{method}.add", **of, **more)["document"]["title"]
        for more in ({}, {"values": {"DocumentNumber": "A-7"}})
    ]
    assert titles == ["Contract 1", "Contract A-7"]
    links = [full.call(f"{method}.enablepublicurl", id=1, status=n)["publicUrl"] for n in (1, 0)]
    assert [bool(one) for one in links] == [True, False]
    fields = full.call(f"{method}.getfields", id=2)["documentFields"]
    assert fields["DocumentNumber"]["value"] == "A-7"
    refused = full.refusal(f"{method}.add", **of | {"entityTypeId": 9999})
    assert refused.text == "No provider for entityTypeId"
    view = full.call("crm.documentgenerator.template.get", id=39)["template"]
    assert (view["users"], full.call("crm.documentgenerator.template.list").keys()) == (
        {},
        {"templates"},
    )


def test_three_comments_have_room_at_the_top(full):
    """A fourth is refused until one is taken away."""
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "Hello"}
    numbers = [full.call("crm.timeline.comment.add", fields=fields) for _ in range(4)]
    owner = {"ownerTypeId": 2, "ownerId": 1}
    for number in (*numbers[:3], numbers[0]):
        full.call("crm.timeline.item.pin", id=number, **owner)
    assert full.refusal("crm.timeline.item.pin", id=numbers[3], **owner).code == "0"
    full.call("crm.timeline.item.unpin", id=numbers[0], **owner)
    assert full.call("crm.timeline.item.pin", id=numbers[3], **owner) is None
    absent = full.refusal("crm.timeline.item.pin", id=numbers[3], ownerTypeId=2, ownerId=2)
    assert absent.code == "NOT_FOUND"


def test_files_of_an_activity_are_kept_and_shown_by_their_numbers(full):
    """A list shows them where it selects them; a file may be kept by its number."""
    fields = {"OWNER_TYPE_ID": 2, "OWNER_ID": 1, "TYPE_ID": 2, "SUBJECT": "Call"}
    fields["FILES"] = [{"fileData": ["a.txt", "YQ=="]}, "nonsense"]
    number = full.call("crm.activity.add", fields=fields)
    query = {"filter": {"ID": number}, "select": ["ID", "FILES"]}
    first = full.call("crm.activity.list", **query)[0]["FILES"]
    assert [sorted(one) for one in first] == [["id", "url"]]
    full.call("crm.activity.update", id=number, fields={"FILES": [{"id": first[0]["id"]}]})
    assert full.call("crm.activity.list", **query)[0]["FILES"] == first


@pytest.mark.parametrize(("params", "date"), [({"IMPORT": "Y"}, "2020-01-02"), ({}, None)])
def test_an_import_sets_the_times_of_a_contact(full, params, date):
    """Without the parameter they are not taken; a time that is none is refused."""
    fields = {"NAME": "Ada", "DATE_CREATE": "2020-01-02T10:00:00+03:00", "CREATED_BY_ID": 2}
    view = full.call(
        "crm.contact.get", id=full.call("crm.contact.add", fields=fields, params=params)
    )
    assert (view["DATE_CREATE"][:10] == date, view["CREATED_BY_ID"]) == (
        bool(params),
        "2" if params else "1",
    )
    if params:
        refused = full.refusal("crm.contact.add", fields={"DATE_CREATE": "soon"}, params=params)
        assert refused.text == 'Invalid value for field "DATE_CREATE"'


def test_an_unset_field_of_people_is_an_empty_text_in_get_and_null_in_a_list(full):
    """As the samples of the classic methods show it."""
    name = "UF_CRM_1721244482250"
    number = full.call("crm.deal.add", fields={"TITLE": "One"})
    listed = full.call("crm.deal.list", filter={"ID": number}, select=["ID", name])[0]
    assert (full.call("crm.deal.get", id=number)[name], listed[name]) == ("", None)


def test_relations_of_a_smart_process_are_read_or_left(desk):
    """What is no object changes nothing, and what is no number is none."""
    fields = {"title": "One", "relations": "", "linkedUserFields": 5}
    made = desk.call("crm.type.add", fields=fields)["type"]
    assert made["relations"] == {"parent": [], "child": []}
    given = {"relations": {"parent": [{"entityTypeId": "x", "isChildrenListEnabled": 1}]}}
    kept = desk.call("crm.type.update", id=made["id"], fields=given)["type"]["relations"]
    relation = {"entityTypeId": 0, "isChildrenListEnabled": "Y", "isPredefined": "N"}
    assert kept == {"parent": [relation], "child": []}
