"""Apply a published model to whole recordings, one or thousands.

Chapter: exercise 06, "Scoring and exporting".
"""

from .decide import CANNOT_TELL, agreed, decide
from .episodes import Moment, moments, picture, timeline, write
from .fleets import Fleet, fleet
from .gate import REASONS as GATE_REASONS
from .gate import reasons
from .peaks import r_peaks
from .scoring import OWN_REASONS, THREE_OF_FOUR, score
from .windows import TASKS, windows_of

REASONS = GATE_REASONS | OWN_REASONS

__all__ = [
    "CANNOT_TELL",
    "REASONS",
    "TASKS",
    "THREE_OF_FOUR",
    "Fleet",
    "Moment",
    "agreed",
    "decide",
    "fleet",
    "moments",
    "picture",
    "r_peaks",
    "reasons",
    "score",
    "timeline",
    "windows_of",
    "write",
]
