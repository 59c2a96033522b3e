"""Published networks for other programs: ONNX files, int8 ones, and what they cost.

Chapter: exercise 06, "Scoring and exporting".
"""

from .files import Exported
from .measuring import measure
from .network import onnx
from .quantise import int8, loss
from .runtime import about, predict, session

__all__ = ["Exported", "about", "int8", "loss", "measure", "onnx", "predict", "session"]
