"""Pure functions of truth and prediction over a whole set, with intervals by patient.

Shock advice is the binary case: 1 is shockable, a score is P(shock), and a shock is advised where
the score reaches the threshold. Explained in the chapter on evaluation.
"""

from .aha import AHA_GOALS, Goal, aha_table, clopper_pearson_lower, design_effect
from .calibration import choose_threshold, fit_temperature, reliability, steady_threshold
from .classes import class_bootstrap, class_difference
from .intervals import bootstrap, paired_difference
from .operate import choose_weights, judged, tilt
from .recall import constraint_threshold, cost_threshold, price, sick_curve, sick_score
from .scores import BINARY, binary_scores, class_scores

__all__ = [
    "AHA_GOALS",
    "BINARY",
    "Goal",
    "aha_table",
    "binary_scores",
    "bootstrap",
    "choose_threshold",
    "choose_weights",
    "class_bootstrap",
    "class_difference",
    "class_scores",
    "clopper_pearson_lower",
    "constraint_threshold",
    "cost_threshold",
    "design_effect",
    "fit_temperature",
    "judged",
    "paired_difference",
    "price",
    "reliability",
    "sick_curve",
    "sick_score",
    "steady_threshold",
    "tilt",
]
