"""A running local stack takes what is saved: code into its functions, the template as an update.

Nothing is deployed anew, so the portal, the mirror and the queues keep what they hold.
"""

import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from local.aws import LocalAws
from local.importing import Importer
from local.package import HANDLER, Package, affected
from local.saved import SavedFiles
from local.stack import STACK, Stack, complete, deploy, update
from ops.build import ROOT
from ops.filter_findings import filter_findings

CODE_URI = "CodeUri: src/"


class NotTakenError(Exception):
    """Raised where what was saved can't run; the stack goes on with what it had."""


@dataclass(frozen=True)
class Taken:
    """What was saved or removed, relative to the project, and the functions that run it now.

    `functions` are logical ids. `seconds` run from the moment in which the save was noticed.
    `trouble` is a text for the author of what does not run; `files` has none of that.
    """

    files: tuple[str, ...]
    functions: tuple[str, ...]
    is_update: bool
    seconds: float
    trouble: str = ""


class LiveStack:
    """A deployed stack and the files that it is made of; `parameters` are those of its deploy."""

    def __init__(self, aws: LocalAws, stack: Stack, root: Path = ROOT, **parameters: str) -> None:
        self._aws, self._stack, self._root, self._parameters = aws, stack, root, parameters
        self._source, self._template = root / "src", root / "template.yaml"
        self._requirements = self._source / "requirements.txt"
        self._saved = SavedFiles(self._source, self._template)
        self._waiting: set[Path] = set()  # the template, for the code of a function that it adds
        self._importer = Importer(self._source, ROOT)
        self._read_deployed()

    def __enter__(self) -> Self:
        """Start the process that imports what is saved."""
        self._importer.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        """End it."""
        self._importer.__exit__(*raised)

    def take(self) -> Taken | None:
        """Run what was saved since the last call; return None where nothing was.

        A file that can't run holds back no other: the functions that load it keep what they have.
        """
        if not (saved := self._saved.new()):
            return None
        started = time.monotonic()
        paths, self._waiting = saved | self._waiting, set()
        troubles: list[str] = []
        if self._requirements in paths and self._heeds(troubles, self._deploy):
            functions = {name for name in self._stack.resources if name.endswith("Function")}
        else:
            paths, functions = self._take(paths - {self._requirements}, troubles)
        return Taken(
            files=tuple(sorted(map(self._named, paths))),
            functions=tuple(sorted(functions)),
            is_update=bool({self._template, self._requirements} & paths),
            seconds=time.monotonic() - started,
            trouble="\n".join(troubles),
        )

    def _named(self, path: Path) -> str:
        name = str(path.relative_to(self._root))
        return name if path.exists() else f"{name} (removed)"

    def _take(self, paths: set[Path], troubles: list[str]) -> tuple[set[Path], set[str]]:
        """Return the files that run now, and the functions that run them; note what does not."""
        code, template = paths - {self._template}, self._template.read_text("utf-8")
        handlers = self._handlers
        deployed = set(handlers.values())
        needed = set(HANDLER.findall(template)) if self._template in paths else deployed
        changed = affected(needed, code, self._source) if code else set()
        wanted = changed | (needed - deployed)
        errors = self._importer.troubles(wanted) if wanted else {}
        troubles += errors
        bad = {handler for refused in errors.values() for handler in refused}
        good = changed - bad
        taken = {
            path
            for path in code
            if affected(good, {path}, self._source) or not affected(bad, {path}, self._source)
        }
        functions = {name for name, handler in handlers.items() if handler in good}
        if code:
            self._upload()
            self._replace_code(functions)
        if self._template in paths and bad - deployed:
            self._waiting = {self._template}
        elif self._template in paths and self._heeds(troubles, lambda: self._update(template)):
            self._read_handlers()
            now = self._handlers.items()
            new = {name for name, handler in now if handlers.get(name) != handler}
            if self._code != self._deployed:
                self._replace_code(new)
            taken, functions = taken | {self._template}, (functions & self._handlers.keys()) | new
        return taken, functions

    def _heeds(self, troubles: list[str], step: Callable[[], None]) -> bool:
        """Return whether the stack takes a step; note why where it does not."""
        try:
            step()
        except NotTakenError as error:
            troubles.append(str(error))
            return False
        return True

    def _read_deployed(self) -> None:
        """Read which package and which handlers are deployed."""
        self._code = self._deployed = _code(self._aws)
        bucket, key = self._code
        found = self._aws.client("s3").get_object(Bucket=bucket, Key=key)
        self._package = Package(found["Body"].read())
        self._read_handlers()

    def _read_handlers(self) -> None:
        """Read the handlers by the logical ids of their functions."""
        pages = self._aws.client("lambda").get_paginator("list_functions").paginate()
        deployed = {
            one["FunctionName"]: str(one["Handler"]) for page in pages for one in page["Functions"]
        }
        names = self._stack.resources.items()
        self._handlers = {name: deployed[one] for name, one in names if one in deployed}

    def _upload(self) -> None:
        package, bucket = self._package.with_saved(self._source), self._code[0]
        self._code = bucket, sha256(package).hexdigest()
        self._aws.client("s3").put_object(Bucket=bucket, Key=self._code[1], Body=package)

    def _replace_code(self, functions: Iterable[str]) -> None:
        client, (bucket, key) = self._aws.client("lambda"), self._code
        names = [self._stack.resources[name] for name in functions]
        for name in names:
            client.update_function_code(FunctionName=name, S3Bucket=bucket, S3Key=key)

    def _update(self, template: str) -> None:
        """Update the stack; functions keep their code, as their package keeps its address."""
        if faults := [finding.text for finding in filter_findings(self._root)]:
            raise NotTakenError("\n".join(faults))
        if CODE_URI not in template:
            self._deploy()
            return
        packaged = template.replace(CODE_URI, f"CodeUri: s3://{'/'.join(self._deployed)}")
        try:
            update(self._aws, packaged, self._deployed[0], **self._parameters)
        except (ClientError, RuntimeError) as error:
            raise NotTakenError(f"template.yaml: {error}"[:2000]) from None
        self._stack = complete(self._aws)

    def _deploy(self) -> None:
        try:
            self._stack = deploy(self._aws, **self._parameters)
        except subprocess.CalledProcessError as error:
            text = f"{error.stdout or ''}{error.stderr or ''}".strip()[-2000:]
            raise NotTakenError(text) from None
        self._read_deployed()


def _code(aws: LocalAws) -> tuple[str, str]:
    """Return bucket and key of the package that the stack was deployed with."""
    deployed = aws.client("cloudformation").get_template(StackName=STACK, TemplateStage="Original")
    words = str(deployed["TemplateBody"]).split()
    parts = urlsplit(next(word for word in words if word.startswith("s3://")))
    return parts.netloc, parts.path.lstrip("/")
