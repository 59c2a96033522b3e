"""Assign whole patients to train, validation, test or folds; find leaks and refuse them.

Two protocols split by beat instead, as published tables do; `excused` says so in a sentence.
Chapter: exercise 03, "Data".
"""

from .assign import (
    SPLITS,
    Split,
    beat_folds,
    by_group,
    by_patient,
    by_row,
    folds,
    inter,
    intra,
    leave_one_database_out,
)
from .audit import EXCUSES, Audit, LeakError, audit, excused, require_classes, require_clean
from .protocols import protocol, usable
from .recordings import published, published_sets, record_folds, stratified_sets

__all__ = [
    "EXCUSES",
    "SPLITS",
    "Audit",
    "LeakError",
    "Split",
    "audit",
    "beat_folds",
    "by_group",
    "by_patient",
    "by_row",
    "excused",
    "folds",
    "inter",
    "intra",
    "leave_one_database_out",
    "protocol",
    "published",
    "published_sets",
    "record_folds",
    "require_classes",
    "require_clean",
    "stratified_sets",
    "usable",
]
