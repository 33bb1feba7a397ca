"""CRM items: what is stamped, saved, told and shown."""

from datetime import datetime

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


def test_smart_processes_may_have_no_recycle_bin(desk):
    """[how-to-add-comment-to-spa.md] `isRecyclebinEnabled` decides whether it can come back."""
    for number, enabled in ((1038, "Y"), (1040, "N")):
        desk.call("crm.type.add", fields={"entityTypeId": number, "isRecyclebinEnabled": enabled})
        item = desk.call("crm.item.add", entityTypeId=number, fields={"title": "x"})["item"]
        desk.call("crm.item.delete", entityTypeId=number, id=item["id"])
    assert [kind for kind, _ in desk.portal.recycle_bin.values()] == [1038]


def test_what_a_new_deal_has_by_itself(desk):
    """[crm-deal-add.md] Title, responsible person, a close date in seven days; no `fields`."""
    number = desk.call("crm.deal.add")
    deal = desk.call("crm.deal.get", id=number)
    assert (deal["TITLE"], deal["ASSIGNED_BY_ID"]) == (f"Deal #{number}", "1")
    begin, close = (datetime.fromisoformat(deal[name]) for name in ("BEGINDATE", "CLOSEDATE"))
    assert (close - begin).days == 7
    assert deal["STAGE_ID"] == "NEW"


def test_contacts_of_a_deal_are_written_but_not_shown_by_classic_methods(desk):
    """[crm-deal-fields.md] `CONTACT_IDS` is absent from get and list; the first is the contact."""
    desk.call("crm.deal.update", id=1, fields={"CONTACT_IDS": [4, 5]})
    deal = desk.call("crm.deal.get", id=1)
    assert "CONTACT_IDS" not in deal
    assert deal["CONTACT_ID"] == "4"
    assert desk.call("crm.item.get", entityTypeId=2, id=1)["item"]["contactIds"] == [4, 5]


def test_contacts_and_companies_refuse_what_is_no_e_mail(desk):
    """[crm-contact-add.md] `ERROR_CORE`, unlike the empty codes of the rest."""
    fields = {"NAME": "A", "EMAIL": [{"VALUE": "nonsense"}]}
    assert desk.refusal("crm.contact.add", fields=fields).code == "ERROR_CORE"
    assert desk.call("crm.lead.add", fields=fields)


def test_a_comment_moves_the_activity_not_the_change(desk):
    """[one documented sample] Updated 18:19:21, activity 18:10:26; no event of the item."""
    before = desk.portal.items[2].rows[1]
    desk.portal.clock.skew_seconds = 100
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "Hello"}
    desk.call("crm.timeline.comment.add", fields=fields)
    after = desk.portal.items[2].rows[1]
    assert after["lastActivityTime"] > before["lastActivityTime"]
    assert after["updatedTime"] == before["updatedTime"]
    assert [event for event, _ in desk.events()] == ["ONCRMTIMELINECOMMENTADD"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"ownerId": 1, "deadline": "2026-01-01"}, "100"),
        ({"ownerTypeId": 2, "ownerId": 999, "deadline": "2026-01-01"}, "OWNER_NOT_FOUND"),
        ({"ownerTypeId": 2, "ownerId": 1, "deadline": "soon"}, "WRONG_DATETIME_FORMAT"),
        ({"ownerTypeId": 999, "ownerId": 1, "deadline": "2026-01-01"}, "NOT_FOUND"),
    ],
)
def test_planned_activities_refuse_by_code(desk, params, code):
    """[crm/timeline/activities/todo/] Each cause has its own."""
    assert desk.refusal("crm.activity.todo.add", **params).code == code


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"MESSAGE": "x"}, "USER_ID_EMPTY"),
        ({"DIALOG_ID": "chat1"}, "MESSAGE_EMPTY"),
        ({"DIALOG_ID": "chat", "MESSAGE": "x"}, "CHAT_ID"),
        ({"DIALOG_ID": "999", "MESSAGE": "x"}, "USER_NOT_FOUND"),
        ({"DIALOG_ID": "1", "MESSAGE": "x", "ATTACH": "x"}, "ATTACH_ERROR"),
        ({"DIALOG_ID": "1", "MESSAGE": "x", "ATTACH": ["y" * 60_001]}, "ATTACH_OVERSIZE"),
    ],
)
def test_messages_refuse_by_code(desk, params, code):
    """[im-message-add.md] And are kept where they are not refused."""
    assert desk.refusal("im.message.add", **params).code == code
    assert desk.call("im.message.add", DIALOG_ID="1", MESSAGE="x") == 1
    assert desk.portal.activity.messages[0]["dialog"] == "1"


def test_twenty_duplicates_of_one_type_hide_the_others(desk):
    """[search-by-phone-and-email.md] The search ends there."""
    fields = {"TITLE": "x", "EMAIL": [{"VALUE": "anna.1@example.com"}]}
    desk.portal.items[3].rows[1]["fm"][1]["value"] = "anna.1@example.com"
    for _ in range(19):
        desk.call("crm.lead.add", fields=fields)
    find = {"type": "EMAIL", "values": ["ANNA.1@example.com"]}
    assert set(desk.call("crm.duplicate.findbycomm", **find)) == {"LEAD", "CONTACT"}
    desk.call("crm.lead.add", fields=fields)
    assert set(desk.call("crm.duplicate.findbycomm", **find)) == {"LEAD"}
