"""`make redrive`: send dead letters back to where they came from: all, a group's or one.

A letter is sent before it is deleted, ten at a time; Ctrl-C waits for that. After a killed command
the next one sends those ten once more, and functions of the relay handle a record once by its id; a
subscriber of your own may get it twice. One run sends no two equal letters: a letter that fails at
once and is dead again stays, with its new reason.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Annotated

import typer

from ops.audit import Audit, open_audit
from ops.dead import One, Owner, Reason, preview
from ops.dead_letters import PAGE, DeadLetters, queues_of
from ops.deployed import Stack, client, find_stack
from ops.letter import Chosen, Letter, digest_of, entry_of, is_undecided, reason_of
from ops.outcome import Outcome
from ops.pace import Pace
from ops.progress import Progress
from ops.send_back import Client, SendBack
from ops.stopping import Stop
from ops.terminal import console, shown
from ops.unannounced import to_dead_letters

MAX_STAYING = 1_000  # letters of a queue that could not be sent: no more are tried
UNDECIDED = "it asks whether a create ran: `make dead REASON=UNDECIDED`, then ONE=<id>"

Rate = Annotated[float, typer.Option(help="At most so many a second; 0 for no limit", min=0)]
Dry = Annotated[bool, typer.Option("--dry", help="Only list what would be done")]


def command(  # noqa: PLR0913  a command has options
    name: Owner = "",
    one: One = "",
    reason: Reason = "",
    rate: Rate = 0,
    stack: Stack = "relay",
    *,
    dry: Dry = False,
) -> Outcome:
    """Send dead letters back to where they came from: all, a group's or one."""
    found, chosen = find_stack(stack), Chosen(one, reason)
    queues, clients = queues_of(found.resources, name), cache(client)
    to_dead_letters(clients, found.resources, queues)
    if dry:
        return preview(clients("sqs"), queues, chosen, "sent")
    audit = open_audit(clients, found.outputs["LogGroup"])
    with Stop() as stop:
        redriven = Redrive(clients, found.resources, chosen, rate, stop, audit)
        return redriven.run(queues)


class Redrive:
    """Sends the chosen letters of queues back, and tells what became of them."""

    def __init__(  # noqa: PLR0913, PLR0917  what a command was given
        self,
        client: Client,
        resources: Mapping[str, str],
        chosen: Chosen,
        rate: float,
        stop: Stop,
        audit: Audit,
    ) -> None:
        self._sqs, self._send = client("sqs"), SendBack(client, resources)
        self._chosen, self._stop, self._audit = chosen, stop, audit
        self._pace = Pace(rate, PAGE, stop)
        self._sent: Counter[str] = Counter()  # by owner
        self._stay: dict[str, Counter[str]] = {}  # by owner and cause
        self._unread: Counter[str] = Counter()

    def run(self, queues: Mapping[str, str]) -> Outcome:
        """Send, and print a line for each queue and for each cause that letters stay for."""
        for owner, url in queues.items():
            if self._stop:
                break
            letters = DeadLetters(self._sqs, url)
            self._stay[owner] = Counter()
            try:
                self._send_queue(owner, letters)
            finally:
                letters.release()
            self._show(owner)
        sent = self._sent.total()
        stay = sum((one.total() for one in self._stay.values()), self._unread.total())
        console.print(f"{sent} sent back" + f", {stay} stay" * (stay > 0))
        if any(self._chosen) and not sent and not stay:
            console.print("no dead letter is chosen by that; `make dead` lists all")
        if self._stop:
            console.print("stopped; what was sent is no dead letter any more, the others stay")
        document = {"sent": self._sent, "stay": self._stay, "unread": self._unread}
        return Outcome(document, left=bool(stay or self._stop))

    def _send_queue(self, owner: str, letters: DeadLetters) -> None:
        """Send the letters that were there at the start, and delete those that were sent."""
        digests: set[bytes] = set()
        stays, progress, looked = self._stay[owner], Progress(f"sending {owner}'s back"), 0
        for page in letters.pages():
            room = max(letters.counted, len(page) if not looked else 0) - looked
            fresh, late = [], 0
            for letter in page:
                digest = digest_of(letter)
                if digest in digests:
                    stays[f"dead again: {reason_of(letter)}"] += 1
                elif room == 0:
                    late += 1
                else:
                    room, looked = room - 1, looked + 1
                    digests.add(digest)
                    if self._takes(owner, letter):
                        fresh.append(letter)
            for tried in self._send_page(owner, letters, fresh):
                progress.at(looked - len(fresh) + tried, letters.counted)
            progress.at(looked, letters.counted)
            if late:
                stays["it came meanwhile"] += late
            if late or self._stop or stays.total() >= MAX_STAYING:
                break
        self._unread[owner] = 0 if self._stop else max(letters.counted - looked, 0)

    def _takes(self, owner: str, letter: Letter) -> bool:
        """Say whether a letter is sent; one that asks a question is not, unless it was chosen."""
        if not self._chosen.takes(owner, letter):
            return False
        if is_undecided(letter) and not any(self._chosen):
            self._stay[owner][UNDECIDED] += 1
            return False
        return True

    def _send_page(self, owner: str, letters: DeadLetters, page: list[Letter]) -> Iterator[int]:
        """Send letters and delete them; yield how many were tried so far, until the signal."""
        size = self._pace.size
        for begin in range(0, len(page), size):
            part = page[begin : begin + size]
            self._pace.wait(len(part))
            if self._stop:
                return
            for group, trouble in self._send(owner, part):
                if trouble is None:
                    letters.delete(group)
                    self._sent[owner] += len(group)
                    self._note(owner, group)
                else:
                    self._stay[owner][trouble] += len(group)
                if self._stop:
                    return
            yield begin + len(part)

    def _note(self, owner: str, group: Iterable[Letter]) -> None:
        self._audit.try_to_note("sent back", (entry_of(owner, letter) for letter in group))

    def _show(self, owner: str) -> None:
        if self._sent[owner]:
            console.print(f"{owner}  {self._sent[owner]} sent back")
        for cause, count in self._stay[owner].most_common():
            console.print(shown(f"{owner}  {count} stay: {cause}"))
        if self._unread[owner]:
            console.print(
                f"{owner}  about {self._unread[owner]} more were not received: too many at once, "
                "or held by another or a killed command, for up to 15 minutes"
            )
