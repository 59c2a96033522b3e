"""The report on a folder of recordings, as text and as plain values.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

MOST_LINES = 12  # of one kind in the text; the values have all


@dataclass(frozen=True)
class Report:
    """What was found in a folder; nothing in it repeats what looks like personal data."""

    folder: str
    recordings: int
    formats: dict[str, int]  # recordings by format
    rates: dict[str, int]  # recordings by rate ("250 Hz", "not stated")
    leads: dict[str, int]  # recordings by name of the lead
    durations: dict[str, float]  # shortest_s, median_s, longest_s, total_h; empty without rates
    units: list[dict[str, Any]]  # stated, guessed, recordings, why
    quality: dict[str, dict[str, Any]]  # flat, clipped, missing: seconds, recordings, most_in
    classes: dict[str, dict[str, int]]  # recordings and patients by label
    unlabelled: int  # recordings without a label, which no window is cut from
    patients: int
    patients_known: bool  # False: every recording counts as a person of its own
    split: dict[str, Any]  # possible, why
    personal: tuple[str, ...]  # file and field
    duplicates: tuple[tuple[str, ...], ...]  # recordings with the same samples
    problems: tuple[tuple[str, str], ...]  # file or matter, and what has to be settled there

    @property
    def ready(self) -> bool:
        """Whether windows can be cut and split by patient."""
        return not self.problems and bool(self.split["possible"])

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        content = asdict(self)
        content["personal"] = list(self.personal)
        for name in ("duplicates", "problems"):
            content[name] = [list(one) for one in content[name]]
        return content | {"ready": self.ready}

    def text(self) -> str:
        """The report to read, a line for each finding."""
        lines = [f"{self.folder}: {self.recordings} recordings ({_counts(self.formats)})"]
        lines.append(f"rates: {_counts(self.rates) or 'none could be read'}")
        lines.append(f"leads: {_counts(self.leads) or 'none could be read'}")
        if d := self.durations:
            lines.append(
                f"durations: {d['shortest_s']:.4g} to {d['longest_s']:.4g} s, half of them up to "
                f"{d['median_s']:.4g} s, {d['total_h']:.3g} h in all"
            )
        for unit in self.units:
            agrees = unit["stated"].lower() == unit["guessed"].lower()
            guess = "" if agrees else f", looks like {unit['guessed']}"
            lines.append(f"unit: {unit['stated']}{guess} in {unit['recordings']} ({unit['why']})")
        for name, found in self.quality.items():
            if found["recordings"]:
                lines.append(
                    f"{name}: {found['seconds']:.4g} s in {found['recordings']} recordings, most "
                    f"in {found['most_in']}"
                )
        for name, found in self.classes.items():
            lines.append(
                f"label {name}: {found['recordings']} recordings of {found['patients']} patients"
            )
        if self.classes and self.unlabelled:
            lines.append(f"no label: {self.unlabelled} recordings, which are left out")
        if not self.patients_known:
            lines.append(
                "patients: not stated, every recording counts as a person of its own: if one "
                "person gave several, give `patient`"
            )
        can = "possible" if self.split["possible"] else "not possible"
        lines.append(f"split by patient: {can} ({self.split['why']})")
        lines += _some("same samples", (" = ".join(names) for names in self.duplicates))
        lines += _some("may be personal data", _together(f.split(": ", 1) for f in self.personal))
        lines += _some("to settle", _together(self.problems))
        return "\n".join(lines)


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in found.items())


def _together(found: Iterable[Sequence[str]]) -> list[str]:
    """The same matter of several files in one line; numbers may differ."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for title, told in found:
        groups.setdefault(re.sub(r"\d[\d.e+-]*", "#", told), []).append((title, told))
    lines = []
    for same in groups.values():
        more = f" and {len(same) - 1} more" if len(same) > 1 else ""
        lines.append(f"{same[0][0]}{more}: {same[0][1]}")
    return lines


def _some(title: str, found: Iterable[str]) -> list[str]:
    found = list(found)
    more = [f"{title}: and {len(found) - MOST_LINES} more"] if len(found) > MOST_LINES else []
    return [f"{title}: {one}" for one in found[:MOST_LINES]] + more
