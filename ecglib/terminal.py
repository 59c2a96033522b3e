"""Command lines on a page: what is shown is what was run.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import io
import re
import shlex
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from ecglib import cli, paths

PROGRAM = "ecglib"


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str  # the line of an error; progress bars and warnings are left out


@dataclass(frozen=True)
class Terminal:
    """Runs ``ecglib …`` in a folder, in this process, so that nothing is loaded twice."""

    folder: Path

    def __call__(self, line: str) -> None:
        """Print a command line, then what it prints.

        Raises
        ------
        ValueError
            If it is no command of the library.
        """
        said = self.run(line)
        told = f"$ {line}\n{said.out}{said.err}".rstrip()
        print(told + (f"\n(exit status {said.status})" if said.status else ""))

    def run(self, line: str) -> Said:
        """Run a command line in the folder; nothing is raised for what the command refuses."""
        first, *words = shlex.split(line) or [""]
        if first != PROGRAM:
            raise ValueError(f"need a command line that begins with {PROGRAM}, got {line!r}")
        out, err = io.StringIO(), io.StringIO()
        with chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            try:
                cli.main(words)
                code = 0
            except SystemExit as stop:
                code = stop.code
        if isinstance(code, str):  # which Python itself would print as it leaves
            err.write(f"{code}\n")
        lines = [s for s in err.getvalue().splitlines() if s.startswith(f"{PROGRAM}: ")]
        status = 1 if isinstance(code, str) else int(code or 0)
        return Said(status, self._plain(out.getvalue()), self._plain("\n".join(lines)))

    def _plain(self, text: str) -> str:
        """The text without what is true of this machine only."""
        known = {self.folder.resolve(): ".", self.folder: ".", paths.outs(): "outs",
                 paths.data(): "data", paths.root(): ".", Path.home(): "~"}  # fmt: skip
        for path in sorted(known, key=lambda path: -len(str(path))):
            text = re.sub(re.escape(str(path)) + r"(?![\w-])", known[path], text)
        return text
