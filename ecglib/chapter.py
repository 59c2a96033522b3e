"""What a page of the book needs: its folder, saved figures and scores, prose from numbers.

Chapter: "How to run".
"""

from __future__ import annotations

import io
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecglib import paths

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ecglib.datasets import Windows

DPI = 150
PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "torch", "wfdb")
SOURCES = {
    "physionet": "real recordings from PhysioNet",
    "course": "the course's own file",
    "synthetic": "synthetic recordings, which show the method and are no result",
}
# The databases that an exercise needs before `auto` takes real recordings.
DATABASES = {
    "exercise_03": ("vfdb", "mitdb", "cudb"),
    "exercise_04": ("mitdb",),
    "exercise_05": ("challenge-2017",),
    "exercise_06": ("vfdb", "mitdb", "cudb", "challenge-2017"),
}
METRICS_KEYS = ("data", "protocols", "selected")


@dataclass(frozen=True)
class Chapter:
    """One exercise in one profile on one kind of recordings."""

    exercise: str
    profile: str
    source: str  # physionet, course or synthetic: what `auto` came to
    out: Path  # figures, metrics.json and tables of this exercise
    ledger: Path  # folder of the runs

    @property
    def published(self) -> bool:
        """Whether this is the edition in the repository: the full profile on real recordings."""
        return is_published(self.profile, self.source)

    def save(self, name: str, fig: Figure, *, alt: str, dpi: int = DPI) -> None:
        """Write a figure as ``<name>.png`` into `out`, show it, close it.

        Parameters
        ----------
        name : file name without ending
        fig : matplotlib figure
        alt : what the figure shows, in a sentence, for those who cannot see it
        dpi : dots per inch; fewer where many figures would make a page large

        Raises
        ------
        ValueError
            If `alt` is empty or `name` is no plain file name.
        """
        if not alt.strip():
            raise ValueError(f"figure {name!r} needs an alt text that says what it shows")
        if Path(name).name != name or "." in name:
            raise ValueError(f"need a plain file name without ending, got {name!r}")
        import matplotlib.pyplot as plt
        from IPython.display import Image, display

        buffer = io.BytesIO()
        fig.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
        plt.close(fig)
        content = _fewer_colours(buffer, dpi=dpi)
        write_bytes(self.out / f"{name}.png", content)
        display(Image(data=content, format="png", alt=alt))

    def banner(self, windows: Windows | None = None) -> str:
        """One line of Markdown: the profile and the recordings this page was run with."""
        line = f"*Run with the profile `{self.profile}` on {SOURCES[self.source]}"
        if windows is not None:
            whose = "record" if windows.task == "rhythms" else "patient"
            n = windows.table[whose].nunique()
            views = windows.table["lead"] if "lead" in windows.table else np.zeros(len(windows))
            first = int((views == 0).sum())
            databases = listed(sorted(windows.table["database"].unique()))
            of = owners(n, windows.task, noun="patient", many=None)
            line += f": {plural(first, 'window')} of {of}"
            line += f" ({databases})" if self.source == "physionet" else ""
        return line + ".*"

    def read_metrics(self) -> dict:
        """The exercise's ``metrics.json``; a bare one if there is none of this profile and source.

        Raises
        ------
        ValueError
            If the file is no JSON.
        """
        bare = {
            "exercise": self.exercise,
            "profile": self.profile,
            "source": self.source,
            "data": {},
            "protocols": {},
            "selected": {},
            "made_with": {},
        }
        file = self.out / "metrics.json"
        if not file.exists():
            return bare
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{file}: need JSON, {error}") from None
        same = all(found.get(key) == bare[key] for key in ("exercise", "profile", "source"))
        return {**bare, **found} if same else bare

    def write_metrics(self, new: dict) -> dict:
        """Merge into ``metrics.json`` and return the whole.

        Parameters
        ----------
        new : dict with any of data, protocols, selected
            Databases and protocols are replaced by name, `selected` as a whole; a protocol that is
            None is taken out. Numbers of numpy are accepted, what is not finite is written as null.

        Raises
        ------
        ValueError
            If `new` has another key.
        """
        if unknown := sorted(set(new) - set(METRICS_KEYS)):
            raise ValueError(f"metrics.json takes {listed(METRICS_KEYS)}, got {listed(unknown)}")
        metrics = self.read_metrics()
        metrics["data"] |= new.get("data", {})
        protocols = metrics["protocols"] | new.get("protocols", {})
        metrics["protocols"] = {name: one for name, one in protocols.items() if one is not None}
        metrics["selected"] = new.get("selected", metrics["selected"])
        metrics["made_with"] = made_with()
        text = json.dumps(plain(metrics), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        write_bytes(self.out / "metrics.json", text.encode())
        return json.loads(text)


def open_chapter(exercise: str, *, profile: str = "demo", source: str = "auto") -> Chapter:
    """The folders and the source of recordings for a page.

    Parameters
    ----------
    exercise : name of the chapter's folder, such as ``exercise_03``
    profile : name of the profile in ``book/profiles.yml``
    source : auto, real, course or synthetic
        `auto` takes real recordings if every database of the exercise was fetched.

    Raises
    ------
    ValueError, FileNotFoundError
        If the exercise or the source is unknown, or the databases that `real` insists on are
        missing.
    """
    actual = resolve(exercise, source)
    published = is_published(profile, actual)
    return Chapter(
        exercise=exercise,
        profile=profile,
        source=actual,
        out=paths.published(exercise) if published else paths.demo(exercise),
        ledger=paths.ledger(profile, actual),
    )


def resolve(exercise: str, source: str) -> str:
    """What `source` comes to for this exercise: physionet, course or synthetic."""
    if exercise not in DATABASES:
        raise ValueError(f"need an exercise of {listed(sorted(DATABASES))}, got {exercise!r}")
    from ecglib import datasets

    return datasets.resolve_source(source, databases=DATABASES[exercise])


def is_published(profile: str, source: str) -> bool:
    """Only the full profile on PhysioNet's recordings makes the published edition."""
    return profile == "full" and source == "physionet"


def say(text: str) -> None:
    """Show Markdown on the page."""
    from IPython.display import Markdown, display

    display(Markdown(text))


def percent(value: float | None, *, digits: int = 1) -> str:
    """A share as a percentage: 0.981 is ``98.1 %``; what is not known is ``–``."""
    return f"{_number(value, 100, digits)} %" if _known(value) else "–"


def interval(value: dict, *, scale: float = 100, digits: int = 1) -> str:
    """A value and its interval: ``98.1 (97.2 to 98.9)``, in per cent unless `scale` is 1."""
    middle = _number(value.get("value"), scale, digits)
    low, high = (_number(value.get(end), scale, digits) for end in ("low", "high"))
    return middle if "–" in (low, high) else f"{middle} ({low} to {high})"


def higher(a: float, b: float, *, digits: int = 3) -> str:
    """How `a` compares with `b` at the digits shown: higher, lower or equal."""
    a, b = round(a, digits), round(b, digits)
    return "higher" if a > b else "lower" if a < b else "equal"


def difference(value: dict) -> str:
    """Words for a difference with an interval; one that covers zero is no clear difference."""
    if not all(_known(value.get(end)) for end in ("low", "high")):
        return "no known difference"
    if value["low"] > 0:
        return "higher"
    return "lower" if value["high"] < 0 else "no clear difference"


def compared(a: str, b: str, value: dict, *, what: str = "balanced accuracy") -> str:
    """A sentence on a difference `a` minus `b` with its interval, in percentage points."""
    word = difference(value)
    if word == "no known difference":
        return f"Between {a} and {b} the difference in {what} is not known: too few patients."
    shown = f"{interval(value)} points"
    if word == "no clear difference":
        return f"Between {a} and {b} there is no clear difference in {what}: {shown}."
    return f"The {what} of {a} is {word} than that of {b}: by {shown}."


def plural(n: int, noun: str, many: str | None = None) -> str:
    """``1 window``, ``1,234 windows``."""
    return f"{n:,} {noun if n == 1 else many or noun + 's'}"


def owners(n: int, task: str, *, noun: str = "person", many: str | None = "people") -> str:
    """``47 people``; of rhythms ``818 recordings``, since nobody says who made them."""
    return plural(n, "recording") if task == "rhythms" else plural(n, noun, many)


def listed(words: Sequence[str], *, last: str = "and") -> str:
    """``a, b and c``."""
    words = [str(word) for word in words]
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def made_with() -> dict[str, str]:
    """Versions of Python and the packages that numbers depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def write_bytes(file: Path, content: bytes) -> None:
    """Write aside and rename, so that a file is whole or not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.part")
    try:
        aside.write_bytes(content)
        os.replace(aside, file)
    finally:
        aside.unlink(missing_ok=True)


def plain(value: object) -> object:
    """`value` as JSON takes it: numbers of numpy as Python's, not finite as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _fewer_colours(png: io.BytesIO, *, dpi: int) -> bytes:
    """The picture with a palette of 256 colours, a quarter of the size: a page stays small."""
    from PIL import Image

    picture = Image.open(png).convert("RGB")
    buffer = io.BytesIO()
    few = picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(buffer, format="png", optimize=True, dpi=(dpi, dpi))
    return buffer.getvalue()


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _number(value: float | None, scale: float, digits: int) -> str:
    if not _known(value):
        return "–"
    return f"{round(value * scale, digits) + 0.0:.{digits}f}"  # no minus before nothing
