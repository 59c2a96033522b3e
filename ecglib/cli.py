"""The command line: thin, each command a call or two into the library (`ecglib.commands`).

Chapter: "How to run".
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from ecglib.commands import app

__all__ = ["app", "main"]


def main(words: Sequence[str] | None = None) -> None:
    """Run a command; what goes wrong is told in a line.

    The exit status is 1 for what cannot be done, 2 for what cannot be meant, 130 after Ctrl-C.
    """
    try:
        status = app(words, prog_name="ecglib", standalone_mode=False)
        sys.stdout.flush()
    except typer.Abort:
        sys.exit(130)
    except typer.TyperException as error:
        _refuse(error)
    except BrokenPipeError:  # as by `ecglib runs list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        status = 130
    except OSError as error:
        told = f"{error.filename}: {error.strerror}" if error.strerror and error.filename else error
        sys.exit(f"ecglib: {_line(told)}")
    except (ValueError, RuntimeError, ImportError, MemoryError) as error:
        sys.exit(f"ecglib: {_line(error)}")
    if status == 130:
        sys.stderr.write("ecglib: stopped\n")
    sys.exit(status)


def _refuse(error: typer.TyperException) -> None:
    message = error.format_message()
    if message.startswith("Usage:"):  # no command was given: this is the help
        typer.echo(message)
    else:
        message = message.replace("Value error, ", "")
        path = getattr(getattr(error, "ctx", None), "command_path", "ecglib")
        typer.echo(f"ecglib: {_line(message).rstrip('.')} (see `{path} --help`)", err=True)
    sys.exit(error.exit_code)


def _line(error: object) -> str:
    """The message in one line; an error without one by its name."""
    return " ".join(str(error).split()) or type(error).__name__
