"""The commands of `ecglib`, by what they are about; each is a call or two into the library."""

from . import apply, book, data, learn, look, own, shelf
from .common import app

__all__ = ["app", "apply", "book", "data", "learn", "look", "own", "shelf"]
