"""The ledger: a run is its configuration; asking for one that exists loads it, else trains it.

A run's folder holds config.json, history.parquet, predictions.parquet and model.safetensors. It is
written aside and renamed, so a folder that exists is whole; a training that was killed goes on
from its last epoch. Chapter: exercise 03, "Training".
"""

from .config import RunConfig, read_config
from .ledger import FILES, Run, load, table
from .training import keep, prepare, run, run_all

__all__ = [
    "FILES",
    "Run",
    "RunConfig",
    "keep",
    "load",
    "prepare",
    "read_config",
    "run",
    "run_all",
    "table",
]
