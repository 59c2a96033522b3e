"""What a network looked at: maps over time, class-wise averages, and tests that a map means
something.

A map is an array (n, n_samples), aligned to the input; positive where the window speaks for the
target. Computed with captum (Kokhlikyan 2020, arXiv:2009.07896). Chapter: exercise 06, "Look
inside".
"""

from .averages import ClassAverage, by_class
from .curves import FILLS, KINDS, Curves, curves
from .intervals import mean_of
from .maps import METHODS, explain, grad_cam, integrated_gradients, numbers, occlusion
from .places import Grid, grid, layer_of, to_time
from .sanity import agreement, label_randomisation, randomised, rank_correlation
from .shortcuts import answers, burst, hum, learn, mark, pointed

__all__ = [
    "FILLS",
    "KINDS",
    "METHODS",
    "ClassAverage",
    "Curves",
    "Grid",
    "agreement",
    "answers",
    "burst",
    "by_class",
    "curves",
    "explain",
    "grad_cam",
    "grid",
    "hum",
    "integrated_gradients",
    "label_randomisation",
    "layer_of",
    "learn",
    "mark",
    "mean_of",
    "numbers",
    "occlusion",
    "pointed",
    "randomised",
    "rank_correlation",
    "to_time",
]
