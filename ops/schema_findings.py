"""What `make doctor` says of fields and stages that are gone, and of reactions that name them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ops.ages import age
from ops.findings import BAD, OK, Finding
from ops.mapping import logical_id
from ops.template_file import read_template
from relay.tracking.schema_watch import Watched


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


def texts_of(root: Path, reactions: list[str]) -> dict[str, str]:
    """Return the code and the filter of reactions by their names."""
    entries = read_template(root / "template.yaml")["Mappings"]["Reaction"]
    texts = {}
    for name in reactions:
        file = root / "src" / "relay" / "reactions" / f"{name}.py"
        code = file.read_text("utf-8") if file.is_file() else ""
        texts[name] = code + str(entries.get(logical_id(name), {}).get("Filter", ""))
    return texts
