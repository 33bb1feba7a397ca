"""What a family's values must be, as lines of its description: `rules` in `data/families/`.

A line is a word, a field, what the word needs, and after ` : ` the error as `code|text|status`.
Words are those of `parameters.py`, and beside them:

`unique F`          no other row has the same; `F+G`: the same in both
`once F V`          one row at most has this value
`same F FAMILY G`   the row that it names has the same G
`kept F V`          a row with this value can't be deleted; without V: with any

`filled` asks new rows, the others what a request gives of a field; `add.` or `update.` before a
word: there alone.
"""

from typing import Any

from local.portal.call import Call
from local.portal.family import FAMILIES, Family
from local.portal.parameters import WORDS, has_text, read, refusal
from local.portal.rows import row_of, table_of
from local.portal.table import Row


def check_rules(call: Call, family: Family, values: Row, old: Row | None) -> None:
    """Raise the error of the first rule that the values break."""
    row = (old or {}) | values
    for words, names, need, error in read(family.data.get("rules", ""), str):
        when, _, word = words[0].rpartition(".")
        keys = [family.key_of(name) for name in names[0].split("+")]
        value, given = row.get(keys[0]), [key for key in keys if key in values]
        if when and (when == "add") != (old is None):
            continue
        if word == "filled":
            broken = not has_text(value) and bool(given or old is None)
        elif not given or value in (None, "", []):
            broken = False
        elif word in {"unique", "once"}:
            fits = word == "unique" or str(value) == need
            broken = fits and _taken(call, family, keys, row, old)
        elif word == "same":
            of, name = need.split()
            broken = (row_of(call, FAMILIES[of], value) or {}).get(name) != row.get(name)
        else:
            broken = word in WORDS and WORDS[word](call, value, need)
        if broken:
            raise refusal(error, value)


def check_deletion(family: Family, row: Row) -> None:
    """Raise the error of the first rule that keeps a row."""
    for words, names, need, error in read(family.data.get("rules", ""), str):
        value: Any = row.get(family.key_of(names[0]))
        if words == ["kept"] and (str(value) == need if need else value):
            raise refusal(error, value)


def _taken(call: Call, family: Family, keys: list[str], row: Row, old: Row | None) -> bool:
    """Whether another row has the same."""
    wanted = [str(row.get(key)) for key in keys]
    number = old["id"] if old else 0
    return any(
        other["id"] != number and [str(other.get(key)) for key in keys] == wanted
        for other in table_of(call, family).walk()
    )
