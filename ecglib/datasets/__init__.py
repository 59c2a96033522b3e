"""Turn records into labelled windows, one function per task; prepared once, kept as Parquet.

Chapter: exercise 03, "Data".
"""

from ecglib import fetch

from .heartbeats import BEAT_DATABASES, BEAT_FORMS, heartbeat_windows
from .inputs import INPUTS, N_FEATURES, likeness, rr_features, with_inputs
from .ptb import PTB_CLASSES, ptb_available, ptb_windows
from .rhythms import RHYTHM_CLASSES, RHYTHM_FORMS, RHYTHM_REFERENCES, rhythm_windows
from .shocks import SHOCK_CLASSES, shock_windows
from .sources import SHOCK_DATABASES, resolve_source
from .store import LABELS, Windows, read_windows, with_labels, write_windows

__all__ = [
    "BEAT_DATABASES",
    "BEAT_FORMS",
    "INPUTS",
    "LABELS",
    "N_FEATURES",
    "PTB_CLASSES",
    "RHYTHM_CLASSES",
    "RHYTHM_FORMS",
    "RHYTHM_REFERENCES",
    "SHOCK_CLASSES",
    "SHOCK_DATABASES",
    "Windows",
    "fetch",
    "heartbeat_windows",
    "likeness",
    "ptb_available",
    "ptb_windows",
    "read_windows",
    "resolve_source",
    "rhythm_windows",
    "rr_features",
    "shock_windows",
    "with_inputs",
    "with_labels",
    "write_windows",
]
