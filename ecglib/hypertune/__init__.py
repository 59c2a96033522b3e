"""Search over run configurations with Ray Tune, on one machine or a cluster.

`settings` reads what is to be tried, `trial` is one training in steps that Ray can stop, `driver`
runs them all and returns a table, `reading` says what the table tells. Chapter: exercise 04,
"Search".
"""

from .driver import search, write
from .reading import best_of, histories, importance, ranked, tested
from .settings import METRICS, Settings, read_settings

__all__ = [
    "METRICS",
    "Settings",
    "best_of",
    "histories",
    "importance",
    "ranked",
    "read_settings",
    "search",
    "tested",
    "write",
]
