"""What `make doctor` says of reactions that name fields or stages which no item has."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ops.ages import age
from ops.findings import BAD, OK, Finding
from ops.mapping import logical_id
from ops.template_file import read_template
from relay.change import TYPE_PREFIX
from relay.field_names import plain
from relay.tracking.schema_watch import Watched

MISSPELT = 0.88  # the share of equal letters: `oportunity`, but not `begindateShort`


def schema_findings(watched: Watched, texts: Mapping[str, str], now: float) -> Iterator[Finding]:
    """Yield which deployed reactions name what is gone; `texts` are what each of them says."""
    if not watched.at:
        yield Finding(OK, "fields and stages: not read yet; a sweep does it once a day")
        return
    named = 0
    for thing, since in watched.gone.items():
        for reaction, text in texts.items():
            if f'"{thing}"' in text or f"'{thing}'" in text:
                named += 1
                yield Finding(
                    BAD,
                    f"{reaction} names {thing}, which is gone for {age(now - since)}: correct "
                    f"src/relay/reactions/{reaction}.py and its filter, then `make deploy`",
                )
    if not named:
        yield Finding(OK, f"fields and stages were read {age(now - watched.at)} ago")


def spelling_findings(watched: Watched, filters: Mapping[str, str]) -> Iterator[Finding]:
    """Yield which deployed reactions wait for a field whose name is another one misspelt.

    `filters` are the filter policies of the reactions, as JSON. The portal does not list all that a
    change may have, so a name that resembles none is left alone.
    """
    for reaction, text in filters.items():
        data = json.loads(text).get("data", {})
        kinds = set(re.findall(rf'"{TYPE_PREFIX}(\w+)\.\w+"', text)) & watched.schema.keys()
        fields = {name for kind in kinds for name in watched.schema[kind]}
        named = {one for one in data.get("changed", []) if isinstance(one, str)}
        for name in sorted({*named, *data.get("after", {})} - fields):
            if similar := _similar(name, fields):
                yield Finding(
                    BAD,
                    f"{reaction} waits for {name}, which no {' or '.join(sorted(kinds))} has; did "
                    f"you mean {similar}? Correct its Filter in template.yaml, then `make deploy`",
                )


def _similar(name: str, fields: set[str]) -> str:
    spellings = {plain(field): field for field in fields}
    close = difflib.get_close_matches(plain(name), spellings, 1, MISSPELT)
    return spellings[close[0]] if close else ""


def filters_of(root: Path, reactions: list[str]) -> dict[str, str]:
    """Return the filter policies of reactions, as JSON, by their names."""
    entries = read_template(root / "template.yaml")["Mappings"]["Reaction"]
    return {
        name: filter_text
        for name in reactions
        if (filter_text := entries.get(logical_id(name), {}).get("Filter"))
    }


def texts_of(root: Path, reactions: list[str]) -> dict[str, str]:
    """Return the code and the filter of reactions by their names."""
    filters, texts = filters_of(root, reactions), {}
    for name in reactions:
        file = root / "src" / "relay" / "reactions" / f"{name}.py"
        code = file.read_text("utf-8") if file.is_file() else ""
        texts[name] = code + filters.get(name, "")
    return texts
