"""CRM items: what is stamped, saved, told and shown."""

import pytest

from local.portal.items import Actor, restore_item
from local.portal.portal import Denial


def test_update_that_changes_nothing_saves_nothing(desk):
    """[crm-item-update.md] No event, no new `updatedTime`, no history."""
    desk.portal.clock.skew_seconds = 100
    before = desk.call("crm.item.get", entityTypeId=2, id=1)["item"]
    desk.call("crm.item.update", entityTypeId=2, id=1, fields={"title": before["title"]})
    desk.call("crm.deal.update", ID=1, FIELDS={"OPPORTUNITY": str(before["opportunity"])})
    assert desk.call("crm.item.get", entityTypeId=2, id=1)["item"] == before
    assert desk.events() == []


def test_change_is_stamped_with_the_owner_of_the_webhook(desk):
    """[local-webhooks.md] Writes run as the owner; `movedBy` follows only a stage."""
    desk.webhook.user = 4
    desk.portal.clock.skew_seconds = 100
    before = desk.portal.items[2].rows[1]
    desk.call("crm.item.update", entityTypeId=2, id=1, fields={"title": "New"})
    row = desk.portal.items[2].rows[1]
    assert (row["updatedBy"], row["movedBy"]) == (4, before["movedBy"])
    assert row["updatedTime"] > before["updatedTime"]
    desk.call("crm.item.update", entityTypeId=2, id=1, fields={"stageId": "LOSE"})
    row = desk.portal.items[2].rows[1]
    assert (row["movedBy"], row["stageSemanticId"], row["closed"]) == (4, "F", "Y")
    assert desk.events() == [("ONCRMDEALUPDATE", "deal/1")] * 2


def test_unknown_and_read_only_fields_are_ignored(desk):
    """[crm-item-update.md] No error and no effect."""
    fields = {"nonsense": 1, "createdBy": 99, "id": 77, "title": "x"}
    item = desk.call("crm.item.update", entityTypeId=2, id=1, fields=fields)["item"]
    assert (item["id"], item["createdBy"], item["title"]) == (1, 1, "x")
    assert "nonsense" not in item


def test_move_to_another_funnel_raises_no_event(desk):
    """[deals/events/index.md] That event is for applications; classic update can't move at all."""
    desk.portal.directories.add_category(2, "Second", 3)
    desk.call("crm.deal.update", id=1, fields={"CATEGORY_ID": 3})
    assert desk.call("crm.deal.get", id=1)["CATEGORY_ID"] == "0"
    item = desk.call("crm.item.update", entityTypeId=2, id=1, fields={"categoryId": 3})["item"]
    assert (item["categoryId"], item["stageId"]) == (3, "C3:NEW")
    assert desk.events() == []
    history = desk.call("crm.stagehistory.list", entityTypeId=2, filter={"OWNER_ID": 1})["items"]
    assert history[-1]["STAGE_ID"] == "C3:NEW"


def test_only_new_invoices_and_smart_processes_raise_dynamic_events(desk):
    """[on-crm-dynamic-item-update.md] Deals changed by `crm.item.*` raise their own."""
    desk.call("crm.type.add", fields={"entityTypeId": 1038, "title": "Purchases"})
    for number in (1, 2, 3, 4, 7, 31, 1038):
        desk.call("crm.item.add", entityTypeId=number, fields={"title": "x"})
    names = [event for event, _ in desk.events()]
    assert names == [
        "ONCRMTYPEADD",
        *(f"ONCRM{name}ADD" for name in ("LEAD", "DEAL", "CONTACT", "COMPANY", "QUOTE")),
        *("ONCRMDYNAMICITEMADD", "ONCRMDYNAMICITEMADD"),
    ]


def test_unreadable_items_are_missing_from_lists_and_refused_by_get(desk):
    """[crm-item-list.md] Silently left out; `ACCESS_DENIED` tells them from what is gone."""
    desk.portal.directories.add_category(2, "Second", 3)
    desk.call("crm.item.update", entityTypeId=2, id=2, fields={"categoryId": 3})
    everything = desk.answer("crm.item.list", entityTypeId=2)["total"]
    desk.portal.denials.add(Denial(1, 2, 3))
    assert desk.answer("crm.item.list", entityTypeId=2)["total"] == everything - 1
    assert desk.call("crm.item.list", entityTypeId=2, filter={"@id": [2]})["items"] == []
    assert desk.refusal("crm.item.get", entityTypeId=2, id=2).code == "ACCESS_DENIED"
    assert desk.refusal("crm.item.get", entityTypeId=2, id=999).code == "NOT_FOUND"
    assert desk.refusal("crm.deal.get", id=2).text == "Access denied."
    desk.portal.denials.add(Denial(1))
    assert desk.call("crm.item.list", entityTypeId=2)["items"] == []
    assert desk.refusal("crm.deal.list").text == "Access denied."


def test_multi_fields_are_rows_of_their_own(desk):
    """[how-to-change-email-or-phone.md] By id changed or deleted, without added, else kept."""
    fm = [{"typeId": "PHONE", "value": "+1"}, {"typeId": "EMAIL", "value": "a@example.com"}]
    item = desk.call("crm.item.add", entityTypeId=3, fields={"name": "A", "fm": fm})["item"]
    number, (phone, mail) = item["id"], [row["id"] for row in item["fm"]]
    changes = {str(phone): {"value": "+2"}, str(mail): {"value": ""}}
    changes |= {"n0": {"typeId": "PHONE", "value": "+2"}, "n1": {"value": "no type"}}
    fields = {"fm": changes}
    item = desk.call("crm.item.update", entityTypeId=3, id=number, fields=fields)["item"]
    assert [row["value"] for row in item["fm"]] == ["+2", "+2"]  # sent twice, there twice
    assert (item["hasPhone"], item["hasEmail"], item["phone"]) == ("Y", "N", "+2")
    fields = {"PHONE": [{"ID": phone, "VALUE": ""}], "EMAIL": [{"VALUE": "b@example.com"}]}
    desk.call("crm.contact.update", id=number, fields=fields)
    contact = desk.call("crm.contact.get", id=number)
    assert [row["VALUE"] for row in contact["PHONE"]] == ["+2"]
    assert contact["EMAIL"][0]["TYPE_ID"] == "EMAIL"


def test_multi_fields_come_from_lists_only_when_named(desk):
    """[crm-contact-list.md, crm-item-list.md] `PHONE` by name, `fm` by `*`."""
    assert "PHONE" not in desk.call("crm.contact.list", select=["*", "UF_*"])[0]
    assert "PHONE" in desk.call("crm.contact.list", select=["ID", "PHONE"])[0]
    assert "fm" not in desk.call("crm.item.list", entityTypeId=3)["items"][0]
    assert "fm" in desk.call("crm.item.list", entityTypeId=3, select=["*"])["items"][0]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("UF_CRM_10_5186744711", "ufCrm10_5186744711"),
        ("UF_CRM_10_DIGIT", "ufCrm10Digit"),
        ("UF_CRM_3_DIGIT10", "ufCrm_3_DIGIT10"),
        ("UF_CRM_1747309879", "ufCrm_1747309879"),
    ],
)
def test_user_fields_have_two_names(desk, name, key):
    """[universal/index.md] camelCase, or the original with `useOriginalUfNames=Y`."""
    desk.portal.types[2].add_user_field(name, "string", multiple=False)
    both = {"entityTypeId": 2, "id": 1}
    assert desk.call("crm.item.update", **both, fields={key: "x"})["item"][key] == "x"
    original = desk.call("crm.item.get", **both, useOriginalUfNames="Y")["item"]
    assert original[name] == "x"
    assert key not in original
    params = {"entityTypeId": 2, "useOriginalUfNames": "Y", "select": ["id", name]}
    items = desk.call("crm.item.list", **params, filter={name: "x"})["items"]
    assert items == [{"id": 1, name: "x"}]
    assert desk.call("crm.deal.get", id=1)[name] == "x"


def test_file_fields_carry_the_secret_of_the_webhook(desk):
    """[how-to-generate-edit-form-for-deal.md] `urlMachine` has user and code in it."""
    fields = {"ufCrm_1725365197310": ["contract.pdf", "YQ=="]}
    item = desk.call("crm.item.update", entityTypeId=2, id=1, fields=fields)["item"]
    link = item["ufCrm_1725365197310"]
    assert "/rest/1/secret12secret12/" in link["urlMachine"]
    assert "secret12secret12" in desk.call("crm.deal.get", id=1)["UF_CRM_1725365197310"]["showUrl"]
    kept = {"ufCrm_1725365197310": {"id": link["id"]}}
    desk.events()
    desk.call("crm.item.update", entityTypeId=2, id=1, fields=kept)
    assert desk.events() == []


def test_delete_takes_the_timeline_along_and_restore_gives_a_new_id(desk):
    """[crm-deal-delete.md, CORE crm/lib/recycling] The old id never comes back."""
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "Hello"}
    number = desk.call("crm.timeline.comment.add", fields=fields)
    assert desk.call("crm.item.delete", entityTypeId=2, id=1) == []
    assert desk.refusal("crm.timeline.comment.get", id=number).text == "Not found."
    assert desk.refusal("crm.item.get", entityTypeId=2, id=1).code == "NOT_FOUND"
    last = desk.portal.items[2].last_id
    desk.events()
    row = restore_item(desk.portal, 1, Actor())
    assert row["id"] == last + 1
    assert desk.events() == [("ONCRMDEALADD", f"deal/{last + 1}")]


def test_import_sets_old_times_and_tells_nobody(desk):
    """[import/index.md] An administrator may set times and authors; no event, no automation."""
    fields = {"title": "Old", "updatedTime": "2001-02-03T04:05:06+00:00", "createdBy": 2}
    number = desk.call("crm.item.import", entityTypeId=2, fields=fields)["item"]["id"]
    row = desk.portal.items[2].rows[number]
    assert (row["updatedTime"], row["createdBy"]) == ("2001-02-03T07:05:06+03:00", 2)
    assert desk.events() == []


def test_dates_without_a_time_have_the_offset_artefact(desk):
    """[crm-deal-get.md] Midnight UTC in the server's zone."""
    fields = {"begindate": "2024-08-30", "closedate": "31.08.2024"}
    item = desk.call("crm.item.update", entityTypeId=2, id=1, fields=fields)["item"]
    assert item["begindate"] == "2024-08-30T03:00:00+03:00"
    assert item["closedate"] == "2024-08-31T03:00:00+03:00"


def test_classic_values_are_strings_and_item_values_are_typed(desk):
    """[crm-deal-get.md, crm-item-get.md] Money with two decimals against numbers."""
    classic = desk.call("crm.deal.get", id=1)
    item = desk.call("crm.item.get", entityTypeId=2, id=1)["item"]
    assert classic["OPPORTUNITY"] == f"{item['opportunity']:.2f}"
    assert classic["ID"] == "1"
    assert item["id"] == 1
    assert (classic["OPENED"], item["opened"]) == ("Y", "Y")
