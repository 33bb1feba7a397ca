"""template.yaml as AWS's macros hand it on, and as CloudFormation then reads it.

`AWS::LanguageExtensions` "resolves parameters to literal values during processing" (its page in the
CloudFormation guide); a literal of a parameter is text, of a Number too. SAM gets that text, and is
stricter than CloudFormation: a property that must be a number takes no text.
"""

import copy
import importlib
import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from cfnlint.decode.cfn_yaml import loads
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

TEMPLATE = Path(__file__).parents[1] / "template.yaml"
STACK = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackName": "relay",
    "AWS::StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/relay/1",
    "AWS::URLSuffix": "amazonaws.com",
}
NO_VALUE = object()
# The import writes a key to a folder that would stay.
with TemporaryDirectory() as _folder, patch.dict(os.environ, STATE_DIR=_folder):
    language_extensions = importlib.import_module(
        "ministack.services.cloudformation.language_extensions"
    )


@cache
def read(path: Path = TEMPLATE) -> dict[str, Any]:
    """Return a template as plain dicts, lists, texts and numbers."""
    template: dict[str, Any] = json.loads(json.dumps(loads(path.read_text("utf-8"))))
    return template


def with_reactions(template: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Return the template with these reactions switched on."""
    template = copy.deepcopy(template)
    template["Resources"]["Fn::ForEach::React"][1] = names
    return template


def parameters(template: dict[str, Any], **given: str) -> dict[str, str]:
    """Return each parameter's value as text: what is given, or its default."""
    defaults = {name: str(how["Default"]) for name, how in template["Parameters"].items()}
    unknown = set(given) - set(defaults)
    assert not unknown, unknown
    return defaults | given


def expand(template: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    """Return what AWS::LanguageExtensions hands on: loops unrolled, parameters as text."""
    expanded: dict[str, Any] = language_extensions.apply(template, values)
    for section in ("Conditions", "Globals", "Resources", "Outputs"):
        expanded[section] = _as_text(expanded[section], values)
    return dict(expanded, Transform="AWS::Serverless-2016-10-31")


def _as_text(node: Any, values: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_as_text(one, values) for one in node]
    if not isinstance(node, dict):
        return node
    if node.keys() == {"Ref"} and node["Ref"] in values:
        return values[node["Ref"]]
    if node.keys() == {"Fn::Sub"}:
        return _filled(node["Fn::Sub"], values)
    return {name: _as_text(one, values) for name, one in node.items()}


def _filled(argument: Any, values: dict[str, str]) -> Any:
    """Return an Fn::Sub with what is known of it filled in; the text where that is all of it."""
    text, own = argument if isinstance(argument, list) else (argument, {})
    own = {name: _as_text(one, values) for name, one in own.items()}
    values_by_name = values | {name: one for name, one in own.items() if isinstance(one, str)}
    left = {name: one for name, one in own.items() if not isinstance(one, str)}
    text = re.sub(r"\$\{([^!}]+)\}", lambda hit: values_by_name.get(hit[1], hit[0]), text)
    if "${" not in text:
        return text
    return {"Fn::Sub": [text, left] if left else text}


def translate(expanded: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    """Return what the SAM translator, AWS's own, makes of it.

    Raises its InvalidDocumentException, which names each property that it refuses.
    """
    source = copy.deepcopy(expanded)
    for resource in source["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/artefact"  # `sam deploy` puts it there
    with patch.dict(os.environ, {"AWS_DEFAULT_REGION": STACK["AWS::Region"]}):
        translator = Translator(None, Parser())
        done = translator.translate(source, values, get_managed_policy_map=dict)
    translator.metrics.publish()  # to nobody; it would complain on stderr
    plain: dict[str, Any] = json.loads(json.dumps(done))
    return plain


class _Stack:
    """What CloudFormation knows before it makes a resource."""

    def __init__(self, translated: dict[str, Any], values: dict[str, str]) -> None:
        self._values = values | STACK
        self._conditions = translated["Conditions"]
        self._mappings = translated["Mappings"]

    def holds(self, condition: str) -> bool:
        """Say whether a condition is true."""
        return bool(self.value(self._conditions[condition]))

    def value(self, node: Any) -> Any:
        """Return a part of the template with what is known filled in."""
        if isinstance(node, list):
            found = [self.value(one) for one in node]
            return [one for one in found if one is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name == "Fn::If":
                return self.value(argument[1 if self.holds(argument[0]) else 2])
            if name in {"Ref", "Condition"} or name.startswith("Fn::"):
                return self._function(name, self.value(argument))
        found = {name: self.value(one) for name, one in node.items()}
        return {name: one for name, one in found.items() if one is not NO_VALUE}

    # A line for each function.
    def _function(self, name: str, argument: Any) -> Any:  # noqa: C901, PLR0911, PLR0912
        unknown = {name: argument}
        match name, argument:
            case "Ref", "AWS::NoValue":
                return NO_VALUE
            case "Ref", _:
                return self._values.get(argument, unknown)
            case "Condition", str():
                return self.holds(argument)
            case "Fn::Equals", [one, other]:
                return one == other
            case "Fn::Not", [one]:
                return not one
            case "Fn::And", list():
                return all(argument)
            case "Fn::Or", list():
                return any(argument)
            case "Fn::Sub", _:
                return _filled(argument, self._values)
            case "Fn::GetAtt", str():
                return {name: argument.split(".", 1)}
            case "Fn::Split", [str(glue), str(text)]:
                return text.split(glue)
            case "Fn::Select", [at, [*texts]]:
                return texts[int(at)]
            case "Fn::FindInMap", [mapping, str(one), str(other)]:
                return self._mappings[mapping][one][other]
            case "Fn::Join", [str(glue), [*texts]] if all(isinstance(t, str) for t in texts):
                return glue.join(texts)
        return unknown


def deployed(translated: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    """Return the resources that CloudFormation makes: conditions judged, parameters filled in.

    What is known only when a resource is there (`Ref` to it, `Fn::GetAtt`) stays as it is.
    """
    stack, found = _Stack(translated, values), {}
    for section in ("Resources", "Outputs"):
        found[section] = {
            name: stack.value({part: of for part, of in one.items() if part != "Condition"})
            for name, one in translated[section].items()
            if "Condition" not in one or stack.holds(one["Condition"])
        }
    return found


def process(template: dict[str, Any], **given: str) -> dict[str, Any]:
    """Return the resources and outputs that AWS makes of a template and parameters."""
    values = parameters(template, **given)
    return deployed(translate(expand(template, values), values), values)


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield what distinguishes two processed templates, a line each."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            here = f"{path}/{name}".removeprefix("/")
            if name not in before:
                new = after[name]
                typed = isinstance(new, dict) and "Type" in new and path == "Resources"
                yield f"+ {here}: {new['Type'] if typed else json.dumps(new, sort_keys=True)}"
            elif name not in after:
                yield f"- {here}"
            else:
                yield from differences(before[name], after[name], here)
    elif before != after:
        yield f"~ {path}: {json.dumps(before)} -> {json.dumps(after)}"
