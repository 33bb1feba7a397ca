"""The examples in docs/, as texts to run."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def example(page, language):
    """Return the one example of a page in a language."""
    text = (DOCS / page).read_text("utf-8")
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return found
