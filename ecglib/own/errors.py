"""What is wrong with a file, in a line."""

from __future__ import annotations

from pathlib import Path


class FileError(ValueError):
    """A file that is not what was needed.

    The message names the file; `plain` says the same without the file, and without repeating
    anything that stands in it: a report may show it where the file holds personal data.
    """

    def __init__(self, path: Path, needed: str, *, plain: str = "") -> None:
        super().__init__(f"{path}: {needed}")
        self.plain = plain or needed

    def __reduce__(self) -> tuple:  # errors travel between processes
        return _again, (type(self), self.args[0], self.plain)


def _again(kind: type[FileError], message: str, plain: str) -> FileError:
    error = kind.__new__(kind, message)
    error.args, error.plain = (message,), plain
    return error
