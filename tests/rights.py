"""What each function of the processed template may do, managed policies included."""

from dataclasses import dataclass
from typing import Any

# The one policy of AWS's that SAM attaches by itself, as AWS documents it.
MANAGED = {
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole": {
        "Effect": "Allow",
        "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": "*",
    }
}


@dataclass(frozen=True)
class Right:
    """An action that is allowed, on what, under which condition."""

    action: str
    resource: str
    rows: frozenset[str] = frozenset()  # of a table, where they are limited


def name_of(resource: Any) -> str:
    """Return a resource as `Name.Attribute`, or its ARN; what it is made of where neither is."""
    match resource:
        case {"Ref": str(name)}:
            return f"{name}.Ref"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"{name}.{attribute}"
        case {"Fn::Sub": [str(text), dict(parts)]}:
            for part, value in parts.items():
                text = text.replace("${" + part + "}", "${" + name_of(value) + "}")
            return text
        case {"Fn::Sub": str(text)}:
            return text
        case {"Fn::Join": [glue, [*texts]]}:
            return str(glue.join(one if isinstance(one, str) else name_of(one) for one in texts))
        case str():
            return resource
    raise AssertionError(f"a resource that nobody understands: {resource}")


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(resources: dict[str, Any], role: str) -> list[dict[str, Any]]:
    """Return the statements of a role: its own, and those of every managed policy."""
    properties = resources[role]["Properties"]
    found = [
        statement
        for policy in properties.get("Policies", [])
        for statement in _many(policy["PolicyDocument"]["Statement"])
    ]
    for managed in properties.get("ManagedPolicyArns", []):
        if isinstance(managed, str):
            found.append(MANAGED[managed])
        else:
            document = resources[managed["Ref"]]["Properties"]["PolicyDocument"]
            found += document["Statement"]
    return found


def allowed(resources: dict[str, Any], role: str) -> set[Right]:
    """Return what a role allows, its denials apart; log groups that are denied are left out."""
    own = statements(resources, role)
    denied = {
        action: {name_of(one) for one in statement["NotResource"]}
        for statement in own
        if statement["Effect"] == "Deny"
        for action in _many(statement["Action"])
    }
    found = set()
    for statement in own:
        if statement["Effect"] != "Allow":
            continue
        assert "NotAction" not in statement, statement
        rows = (
            statement.get("Condition", {})
            .get("ForAllValues:StringLike", {})
            .get("dynamodb:LeadingKeys", ())
        )
        keys = frozenset(name_of(row) for row in rows)
        for action in _many(statement["Action"]):
            for resource in map(name_of, _many(statement["Resource"])):
                spared = denied.get(f"{action.partition(':')[0]}:*", set())
                names = spared if resource == "*" and spared else {resource}
                found |= {Right(action, name, keys) for name in names}
    return found
