"""The appendix on models: the cards of the published edition, one below the other.

Chapter: exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

import re
from pathlib import Path

from ecglib import chapter, paths

PAGE = "book/appendix/model_cards.md"
HEAD = """# Model cards

What each published model is, what it learnt from, what it reaches and where its limits lie; the
same text lies beside its weights as `card.md`. Written by `python -m ecglib readme` from
`outs/exercise_06/models`."""
NONE = "No model is published in this edition so far: run the book with the profile `full`."
ORDER = ("shock-", "beat", "rhythms-")  # what the names begin with, in the order of the exercises


def text(folder: Path | None = None) -> str:
    """The page as it should be.

    Parameters
    ----------
    folder : of the published models; by default those of the published edition
    """
    folder = folder or paths.published("exercise_06") / "models"
    cards = sorted(folder.glob("[!.]*/card.md"), key=lambda file: _rank(file.parent.name))
    parts = [_lowered(file.read_text(encoding="utf-8")) for file in cards]
    return "\n\n".join([HEAD, *(parts or [NONE])]) + "\n"


def in_step() -> bool:
    """Whether the page tells what the cards say."""
    file = paths.root() / PAGE
    return file.is_file() and file.read_text(encoding="utf-8") == text()


def write() -> None:
    """Bring the page in step."""
    chapter.write_bytes(paths.root() / PAGE, text().encode())


def _rank(name: str) -> tuple[int, str]:
    found = [i for i, start in enumerate(ORDER) if name.startswith(start)]
    return (found[0] if found else len(ORDER)), name


def _lowered(card: str) -> str:
    """A card as a section: its headings one level down, those within it no headings of the page."""
    lines, inside = [], False
    for line in card.strip().split("\n"):
        inside ^= line.startswith("```")
        heading = None if inside else re.match(r"(#+) (.*)", line)
        if heading and len(heading[1]) == 1:
            line = f"## {heading[2]}"
        elif heading:
            line = f"**{heading[2]}**"
        lines.append(line)
    return "\n".join(lines)
