"""`make dead`: the dead letters by their reasons, with items, ages, and the next command."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import typer

from ops.ages import age
from ops.dead_letters import PAGE, DeadLetters, queues_of
from ops.deployed import Stack, client, find_stack
from ops.letter import (
    ID_LETTERS,
    UNEXPLAINED,
    Chosen,
    Letter,
    Record,
    group_of,
    is_undecided,
    reason_of,
    record_of,
    sent_at,
)
from ops.outcome import Outcome
from ops.progress import Progress
from ops.terminal import console, shown
from ops.unannounced import to_dead_letters

MAX_READ = 10_000  # letters of a queue, where none were chosen
MAX_SHOWN, MAX_CHOSEN = 5, 1_000  # letters of a group; where one group or letter was asked for
RETENTION_SECONDS, WARNING_SECONDS = 14 * 86400, 3 * 86400

One = Annotated[
    str, typer.Option(help="A letter by its id, or those of a change or item: deal/662")
]
Reason = Annotated[str, typer.Option(help="A group's code, or a part of the reason")]
Owner = Annotated[
    str, typer.Option(help="A reaction (follow_up), or track, announce, spill, forward")
]


class Shown(NamedTuple):
    """A letter as it is listed; `at` is when it was sent (epoch seconds)."""

    id: str
    record: Record
    at: float


@dataclass
class Group:
    """Letters of one owner with one reason, the oldest first."""

    owner: str
    code: str
    reason: str
    undecided: bool
    letters: list[Shown] = field(default_factory=list)

    def next_steps(self) -> str:
        """Return what to do about it."""
        choice = f"REASON={self.code}"
        if self.undecided:
            return (
                "look in the portal for each: if it is there, `make drop ONE=<id> WHY=…`; "
                "if not, `make redrive ONE=<id>` creates it"
            )
        if self.owner == "Spill":
            return f"`make connect` that portal, then `make redrive {choice}`"
        if self.reason == UNEXPLAINED:
            return f"`make logs` says what killed {self.owner}; then `make redrive {choice}`"
        return f"mend it, then `make redrive {choice}`; or `make drop {choice} WHY=…`"


@dataclass
class Survey:
    """The groups that were found, and by queue how many letters were not read."""

    groups: list[Group]
    unread: dict[str, int]


def command(
    name: Owner = "", one: One = "", reason: Reason = "", stack: Stack = "relay"
) -> Outcome:
    """Show the dead letters by their reasons, with items, ages and the next command."""
    resources = find_stack(stack).resources
    queues = queues_of(resources, name)
    to_dead_letters(client, resources, queues)
    found = survey(client("sqs"), queues, Chosen(one, reason))
    show(found, MAX_CHOSEN if one or reason else MAX_SHOWN)
    if (one or reason or name) and not found.groups:
        console.print("only those that were chosen were looked for; `make dead` lists all")
    return Outcome(document_of(found), left=bool(found.groups or found.unread))


def survey(sqs: Any, queues: Mapping[str, str], chosen: Chosen) -> Survey:
    """Read the chosen letters of queues, and release them; raises botocore's errors."""
    groups: dict[str, Group] = {}
    unread = {}
    for owner, url in queues.items():
        letters = DeadLetters(sqs, url)
        progress, read = Progress(f"reading {owner}'s dead letters"), 0
        try:
            for page in letters.pages():
                read += len(page)
                for letter in page:
                    if chosen.takes(owner, letter):
                        _add(groups, owner, letter)
                progress.at(read, letters.counted)
                if read >= MAX_READ and not any(chosen):
                    break
        finally:
            letters.release()
        if letters.counted > read:
            unread[owner] = letters.counted - read
    for group in groups.values():
        group.letters.sort(key=lambda one: one.at)
    return Survey(list(groups.values()), unread)


def preview(sqs: Any, queues: Mapping[str, str], chosen: Chosen, done: str) -> Outcome:
    """Show the chosen letters, and that nothing was `done` to them: DRY=1 of a command."""
    surveyed = survey(sqs, queues, chosen)
    show(surveyed, PAGE)
    if surveyed.groups:
        console.print(f"nothing was {done}; without DRY=1 it is")
    return Outcome(document_of(surveyed))


def _add(groups: dict[str, Group], owner: str, letter: Letter) -> None:
    code = group_of(owner, letter)
    if code not in groups:
        groups[code] = Group(owner, code, reason_of(letter), is_undecided(letter))
    groups[code].letters.append(
        Shown(letter["MessageId"][:ID_LETTERS], record_of(letter), sent_at(letter))
    )


def show(found: Survey, most: int) -> None:
    """Print groups, each with at most so many letters."""
    now = time.time()
    for group in found.groups:
        number, oldest = len(group.letters), now - group.letters[0].at
        ages = dict.fromkeys((age(now - group.letters[-1].at), age(oldest)))
        console.print(
            shown(f"{group.owner}  {number} x  {' to '.join(ages)} old  [{group.code}]"),
            style="bold",
        )
        console.print(shown(f"  {group.reason}"))
        for one in group.letters[:most]:
            console.print(
                shown(
                    f"  {one.id}  {one.record.subject:16}  {age(now - one.at):>6}  {one.record.id}"
                )
            )
        if number > most:
            console.print(shown(f"  … and {number - most} more: `make dead REASON={group.code}`"))
        if (left := RETENTION_SECONDS - oldest) < WARNING_SECONDS:
            console.print(f"  [red]SQS deletes the oldest in {age(left)}[/]")
        console.print(shown(f"  next: {group.next_steps()}"))
    for owner, number in found.unread.items():
        console.print(
            shown(
                f"{owner}: about {number} more were not read: too many, or held by another or a "
                "killed command, for up to 15 minutes"
            )
        )
    if not found.groups and not found.unread:
        console.print("no dead letters")


def document_of(found: Survey) -> dict[str, object]:
    """Return a survey for a program; `age_seconds` is each letter's."""
    now = time.time()
    groups = [
        {
            "owner": group.owner,
            "group": group.code,
            "reason": group.reason,
            "undecided": group.undecided,
            "count": len(group.letters),
            "next": group.next_steps(),
            "letters": [
                {
                    "id": one.id,
                    "record": one.record.id,
                    "subject": one.record.subject,
                    "age_seconds": round(now - one.at),
                }
                for one in group.letters
            ],
        }
        for group in found.groups
    ]
    return {"groups": groups, "unread": found.unread}
