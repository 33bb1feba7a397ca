"""The switches of a portal: what the documentation leaves open, and what tests want different."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class EventSettings:
    """How the queue service treats events on their way to a handler."""

    delay_seconds: float = 0.0
    loss: float = 0.0  # shares, 0 to 1
    doubling: float = 0.0
    reordering: float = 0.0
    reordering_seconds: float = 0.5
    parallel: int = 8
    timeout_seconds: float = 10.0
    slow_seconds: float = 3.0  # a slower answer counts against the handler
    slow_penalty_seconds: float = 1.0  # doubled by each slow answer in a row, up to a minute


@dataclass(slots=True)
class Settings:
    """One switch a line; where sources contradict each other both readings can be chosen."""

    # Leaky bucket [limits.md]: Enterprise 250 and 5; 0 switches it off
    burst: int = 50
    rate: float = 2.0
    # Execution time per method and webhook in ten minutes [limits.md]; 0 switches it off
    operating_limit: float = 480.0
    # "inner": each command is charged to its method [limits.md]; "batch": all of it to `batch`
    # [JS PR 539, measured]
    batch_accounting: str = "inner"
    # Only calls above it are charged [JS PR 539]
    operating_floor: float = 0.0
    # Charged beside the real time, so that tests reach the limit
    operating_cost: float = 0.0
    # Older portals leave both `operating` members out [REC, JS issue 459]
    operating_shown: bool = True
    cutoff_seconds: float = 60.0  # [limits.md]
    # A wrong user or secret in the path: NO_AUTH_FOUND [system-errors.md], or what
    # [crm-item-import.md] shows: INVALID_CREDENTIALS
    auth_error: str = "NO_AUTH_FOUND"
    # What an expired webhook answers: the page names no code
    expired_error: str = "expired_token"
    # An unknown method: 404 [rest-v3.md] or 400 [JS]
    method_not_found_status: int = 404
    # A deleted portal: 500 [system-errors.md] or 410 [PY]
    portal_deleted_status: int = 500
    # Application-only methods: 403 here; other pages show 400 and 401
    app_only_status: int = 403
    # Over 50 commands: "command" refuses the surplus [batch.md], "request" all [system-errors.md]
    batch_overflow: str = "command"
    # ids of stage history: numbers [crm-stage-history-list.md] or strings [REC]
    stage_history_strings: bool = False
    # the sample of crm.stagehistory.list has the number 0 where others have a code
    stage_history_error_number: bool = False
    # Plain http is refused for webhooks [JS issue 500]; off, so that fast_bitrix24 can be tried
    https_required: bool = False
    # Webhook handlers see `>=updatedTime` shifted by the zone of the owner
    filter_shift_hours: float = 0.0
    # tasks.task.get with `id`: taken, as b24pysdk sends it, or refused as documented
    task_get_takes_id: bool = True
    # tasks.task.get of a task that is not there: an error [tasks-task-get.md], or `[]` [JS]
    task_get_absent_empty: bool = False
    # tasks 25.700.0+: comments live in a chat, the event has MESSAGE_ID [on-task-comment-add.md]
    new_task_card: bool = True
    # Comment events: data[ID] as documented, or data[FIELDS][ID] as handlers in public code read it
    comment_event_nested: bool = False
    # 3 keys [local-webhooks.md] or 5 in an event's `auth`
    short_event_auth: bool = False
    # Some samples have no event_handler_id
    event_handler_id: bool = True
    leads_enabled: bool = True
    # The plan that app.info tells; a webhook is told [PY, JS], or refused as its page says
    license: str = "en_ent250"
    app_info_for_webhooks: bool = True
    user_limit: int = 0  # of people that the plan allows; 0: any number
    file_limit: int = 0  # of bytes of a file's new version; 0: any number
    plan_restricted: bool = False  # *_DYNAMIC_ITEM_RESTRICTED
    rest_available: bool = True  # ACCESS_DENIED: only on commercial plans
    # Every command of a batch takes so long, a single call too
    command_seconds: float = 0.0
    events: EventSettings = field(default_factory=EventSettings)

    def change(self, changes: dict[str, Any]) -> None:
        """Set switches by name; unknown names and wrong types raise ValueError."""
        _change(self, changes)

    def to_dict(self) -> dict[str, Any]:
        """All switches, for the page."""
        return asdict(self)


def _change(target: Any, changes: dict[str, Any]) -> None:
    values = {entry.name: getattr(target, entry.name) for entry in fields(target)}
    for name, value in changes.items():
        if name not in values:
            raise ValueError(f"unknown setting {name}")
        current = values[name]
        if isinstance(current, EventSettings):
            if not isinstance(value, dict):
                raise TypeError(f"{name} must be an object")
            _change(current, value)
            continue
        if isinstance(current, bool) != isinstance(value, bool):
            raise ValueError(f"{name} must be {type(current).__name__}")
        try:
            setattr(target, name, type(current)(value))
        except (TypeError, ValueError):
            raise ValueError(f"{name} must be {type(current).__name__}") from None
