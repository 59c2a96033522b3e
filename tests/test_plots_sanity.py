"""Checks of maps and tracks of decisions: that each draws on the axes it is given."""

import matplotlib.pyplot as plt
import pandas as pd

from ecglib import plots

VALUE = {"value": -0.1, "low": -0.2, "high": 0.0}
SHUFFLED = pd.DataFrame(
    [
        {"depth": depth, "layer": layer, "measure": measure, "value": value, "low": 0, "high": 0.9}
        for measure in ("signed", "absolute")
        for depth, layer, value in ((0, "another window", 0.1), (1, "head", 0.8), (2, "stem", 0.2))
    ]
)
VERDICTS = pd.DataFrame(
    {"network": ["a"], "method": ["occlusion"], "deletion": [VALUE], "follows deletion": ["yes"]}
)
BAND = pd.DataFrame({"start_s": [0.0, 4.0], "end_s": [4.0, 8.0], "said": ["shock", "no shock"]})
DRAWN = {  # every plot of these that takes `ax`, with what it needs
    "cascade": lambda ax: plots.cascade(SHUFFLED, limit=0.5, ax=ax),
    "checks": lambda ax: plots.checks(VERDICTS, check="deletion", ax=ax),
    "likeness": lambda ax: plots.likeness({"itself": VALUE}, ax=ax),
    "tracks": lambda ax: plots.tracks({"advice": BAND}, end_s=8.0, ax=ax),
}


def test_a_value_below_zero_is_written_with_a_minus():
    ax = plots.likeness({"itself": VALUE}, ax=plt.figure().add_subplot())
    plt.close("all")
    assert [text.get_text() for text in ax.texts] == ["−0.10"]
