"""The code that docs/trainers.md and README.md show."""

import re
from dataclasses import dataclass
from pathlib import Path

import feedback_pipeline

_ROOT = Path(feedback_pipeline.__file__).parents[1]
GUIDE, README = _ROOT / "docs" / "trainers.md", _ROOT / "README.md"

_PART = re.compile(r"^#+ (?P<heading>[^\n]+)$|^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block and the heading it stands under."""

    heading: str
    language: str
    code: str


def blocks(language: str, page: Path = GUIDE) -> list[Block]:
    """Return the blocks of a language on a page, in their order."""
    found, heading = [], ""
    for part in _PART.finditer(page.read_text(encoding="utf-8")):
        heading = part["heading"] or heading
        if part["language"] == language:
            found.append(Block(heading, language, part["code"]))
    return found
