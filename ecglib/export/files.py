"""Write an ONNX file and the card beside it, each whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ecglib import cards
from ecglib.chapter import write_bytes

if TYPE_CHECKING:
    from onnx import ModelProto

KEY = "ecglib"  # of the JSON among a file's own properties
HEADING = "## This file"


@dataclass(frozen=True)
class Exported:
    """A file that was written."""

    path: Path
    n_bytes: int
    difference: float  # largest, of logits from those of the network it was made from
    card: Path | None  # beside it, if the network was a published one


def write(proto: ModelProto, path: Path, *, about: dict, short: bool = False) -> int:
    """Check the model and write it with `about` among its properties; return the size in bytes.

    What the exporter notes of source files and their lines is left out; with `short`, also the
    names of what lies between input and output, which weigh much in a small file.
    """
    import onnx

    del proto.graph.value_info[:]
    for part in (proto.graph.node, proto.graph.input, proto.graph.output):
        for item in part:
            del item.metadata_props[:]
            item.doc_string = ""
    if short:
        _shorten(proto)
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, {KEY: json.dumps(about, sort_keys=True)})
    onnx.checker.check_model(proto)
    content = proto.SerializeToString()
    write_bytes(path, content)
    return len(content)


def _shorten(proto: ModelProto) -> None:
    """Number the tensors between input and output."""
    graph = proto.graph
    if proto.functions or any(a.HasField("g") for node in graph.node for a in node.attribute):
        return  # names may be used further inside
    names = {value.name: value.name for value in (*graph.input, *graph.output)} | {"": ""}
    for tensor in graph.initializer:
        tensor.name = names.setdefault(tensor.name, f"{len(names):x}")
    for node in graph.node:
        node.name = ""
        for side in (node.input, node.output):
            side[:] = [names.setdefault(name, f"{len(names):x}") for name in side]


def checked_path(path: str | Path) -> Path:
    """The path; ValueError unless it ends in .onnx and lies in a folder that is there."""
    path = Path(path)
    if path.suffix != ".onnx":
        raise ValueError(f"{path}: need a file name that ends in .onnx")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: need a folder that exists, {path.parent} does not")
    return path


def card_of(path: Path) -> Path:
    """Where the card beside an exported file lies."""
    return path.with_suffix(".md")


def write_card(path: Path, text: str, *, lines: list[str]) -> Path:
    """Write a card beside the file `path`: that of the model, and what this file is instead."""
    text = text.split(HEADING)[0].split(cards.USE)[0].rstrip()
    text = text.replace(cards.CUT, "the file's own notes say")
    told = "\n".join(f"- {line}" for line in lines)
    write_bytes(card_of(path), f"{text}\n\n{HEADING}\n\n{told}\n".encode())
    return card_of(path)
