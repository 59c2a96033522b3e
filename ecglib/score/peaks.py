"""R peaks of a lead, for models that look at single beats.

Chapter: exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecglib import signals

STEPS_PER_MV = 200  # the detector wants whole numbers; this is the scale it was tuned at
AROUND_S = (-0.03, 0.12)  # where the R peak lies from what the detector marks, the QRS onset
BAND_HZ = (5.0, 30.0)  # in which a QRS complex stands out, upright or inverted


def r_peaks(x: NDArray, *, fs: float) -> NDArray[np.intp]:
    """Samples of the R peaks of one lead, in order.

    The detector is gqrs (G. B. Moody, in wfdb), which marks the onset of a complex; each mark moves
    to the largest deflection from 5 to 30 Hz beside it.

    Parameters
    ----------
    x : array, shape (n_samples,), millivolt
    fs : float, hertz
    """
    from wfdb.processing import gqrs_detect

    x = np.nan_to_num(np.asarray(x, dtype=np.float64))
    steps = np.round(x * STEPS_PER_MV).astype(np.int64)
    try:
        marks = gqrs_detect(d_sig=steps, fs=fs, adc_gain=STEPS_PER_MV, adc_zero=0)
    except (ValueError, IndexError):  # a lead without a single complex ends so
        marks = []
    at = np.asarray(marks, dtype=np.intp)
    if not len(at):
        return at
    y = np.abs(signals.bandpass(x, fs=fs, low=BAND_HZ[0], high=min(BAND_HZ[1], 0.45 * fs)))
    beside = np.arange(int(AROUND_S[0] * fs), int(AROUND_S[1] * fs))
    near = np.clip(at[:, None] + beside, 0, len(x) - 1)  # (n, n_beside)
    return np.unique(near[np.arange(len(at)), y[near].argmax(axis=1)])
