"""A running local stack takes what is saved: code into its functions, the template as an update.

Nothing is deployed anew, so the portal, the mirror and the queues keep what they hold.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from local.aws import LocalAws
from local.package import HANDLER, affected, repack
from local.saved import SavedFiles
from local.stack import STACK, Stack, complete, deploy, update
from ops.build import ROOT

CODE_URI = "CodeUri: src/"
IMPORT_SECONDS = 20


class NotTakenError(Exception):
    """Raised where what was saved can't run; the stack goes on with what it had."""


@dataclass(frozen=True)
class Taken:
    """What was saved, relative to the project, and the functions that run it now.

    `functions` are logical ids. `seconds` run from the moment in which the save was noticed.
    """

    files: tuple[str, ...]
    functions: tuple[str, ...]
    is_update: bool
    seconds: float


class LiveStack:
    """A deployed stack and the files that it is made of; `parameters` are those of its deploy."""

    def __init__(self, aws: LocalAws, stack: Stack, root: Path = ROOT, **parameters: str) -> None:
        self._aws, self._stack, self._root, self._parameters = aws, stack, root, parameters
        self._source, self._template = root / "src", root / "template.yaml"
        self._saved = SavedFiles(self._source, self._template)
        deployed = aws.client("cloudformation").get_template(
            StackName=STACK, TemplateStage="Original"
        )
        self._code = _code_uri(str(deployed["TemplateBody"]))

    def take(self) -> Taken | None:
        """Run what was saved since the last call; return None where nothing was.

        Raises NotTakenError with a text for its author where it can't run.
        """
        paths = self._saved.new()
        if not paths:
            return None
        started = time.monotonic()
        is_update = self._template in paths
        if self._source / "requirements.txt" in paths:
            self._stack, is_update = self._deploy(), True
            functions = {name for name in self._stack.resources if name.endswith("Function")}
        else:
            functions = self._take(paths)
        names = sorted(str(path.relative_to(self._root)) for path in paths)
        seconds = time.monotonic() - started
        return Taken(tuple(names), tuple(sorted(functions)), is_update, seconds)

    def _take(self, paths: set[Path]) -> set[str]:
        code = paths - {self._template}
        template = self._template.read_text("utf-8")
        handlers = self._handlers()
        needed = set(HANDLER.findall(template)) if self._template in paths else set()
        deployed = set(handlers.values())
        changed = affected(deployed | needed, code, self._source) if code else set()
        self._import(changed | (needed - deployed))
        if code:
            self._upload()
        functions = {name for name, handler in handlers.items() if handler in changed}
        if self._template in paths:
            before = self._stack.resources.keys()
            self._stack = self._update(template)
            functions |= {
                name for name in self._stack.resources.keys() - before if name.endswith("Function")
            }
        else:
            self._replace_code(functions)
        return functions & self._stack.resources.keys()

    def _handlers(self) -> dict[str, str]:
        """Return the deployed handlers by the logical ids of their functions."""
        pages = self._aws.client("lambda").get_paginator("list_functions").paginate()
        deployed = {
            one["FunctionName"]: one["Handler"] for page in pages for one in page["Functions"]
        }
        names = self._stack.resources.items()
        return {name: deployed[physical] for name, physical in names if physical in deployed}

    def _import(self, handlers: Iterable[str]) -> None:
        """Import handlers in a process of their own; raises NotTakenError with its traceback."""
        wanted = sorted(handlers)
        if not wanted:
            return
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self._source)}
        command = [sys.executable, "-m", "local.importing", *wanted]
        try:
            ended = subprocess.run(  # noqa: S603  our own program
                command,
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=IMPORT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            text = f"{', '.join(wanted)}: the import takes more than {IMPORT_SECONDS} s"
            raise NotTakenError(text) from None
        if ended.returncode:
            raise NotTakenError(ended.stdout.strip() or ended.stderr.strip())

    def _upload(self) -> None:
        s3, bucket = self._aws.client("s3"), self._code[0]
        deployed = s3.get_object(Bucket=bucket, Key=self._code[1])["Body"].read()
        package = repack(deployed, self._source)
        self._code = bucket, sha256(package).hexdigest()
        s3.put_object(Bucket=bucket, Key=self._code[1], Body=package)

    def _replace_code(self, functions: Iterable[str]) -> None:
        client, (bucket, key) = self._aws.client("lambda"), self._code
        names = [self._stack.resources[name] for name in functions]
        for name in names:
            client.update_function_code(FunctionName=name, S3Bucket=bucket, S3Key=key)

    def _update(self, template: str) -> Stack:
        if CODE_URI not in template:
            return self._deploy()
        packaged = template.replace(CODE_URI, f"CodeUri: s3://{'/'.join(self._code)}")
        try:
            update(self._aws, packaged, self._code[0], **self._parameters)
        except (ClientError, RuntimeError) as error:
            raise NotTakenError(f"template.yaml: {error}"[:2000]) from None
        return complete(self._aws)

    def _deploy(self) -> Stack:
        try:
            stack = deploy(self._aws, **self._parameters)
        except subprocess.CalledProcessError as error:
            text = f"{error.stdout or ''}{error.stderr or ''}".strip()[-2000:]
            raise NotTakenError(text) from None
        return stack


def _code_uri(template: str) -> tuple[str, str]:
    """Return bucket and key of the code in a packaged template."""
    word = next(word for word in template.split() if word.startswith("s3://"))
    parts = urlsplit(word)
    return parts.netloc, parts.path.lstrip("/")
