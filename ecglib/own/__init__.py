"""Recordings of one's own: read, checked and cut into windows like those of the book.

Chapter: exercise 06, "From raw files to a trained model".
"""

from .check import check
from .errors import FileError
from .generate import FORMATS, generate
from .labels import read_labels
from .personal import looks
from .raw import guess_unit
from .reading import recording, recordings
from .report import Report
from .settings import Settings, read_settings
from .windows import windows

__all__ = [
    "FORMATS",
    "FileError",
    "Report",
    "Settings",
    "check",
    "generate",
    "guess_unit",
    "looks",
    "read_labels",
    "read_settings",
    "recording",
    "recordings",
    "windows",
]
