"""Command lines on a page."""

import re

import pytest

from ecglib.terminal import Terminal


@pytest.fixture
def terminal(tmp_path):
    return Terminal(tmp_path)


def test_a_line_is_shown_with_what_it_prints(terminal, capsys):
    terminal("ecglib new-data generate mine -f numpy --patients 1 --duration-s 10")
    assert capsys.readouterr().out == (
        "$ ecglib new-data generate mine -f numpy --patients 1 --duration-s 10\nnumpy: mine/numpy\n"
    )
    assert (terminal.folder / "mine" / "numpy").is_dir()


def test_an_error_is_shown_with_its_status_and_raises_nothing(terminal, capsys):
    said = terminal.run("ecglib new-data check nowhere")
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("ecglib: nowhere: need a folder")
    assert terminal.run("ecglib chekc").status == 2
    terminal("ecglib new-data check nowhere")
    assert capsys.readouterr().out.endswith("(exit status 1)\n")


def test_no_folder_of_the_machine_is_shown(terminal):
    terminal.run("ecglib new-data generate mine -f numpy --patients 6 --duration-s 60")
    words = "--data mine/numpy --settings mine/numpy/settings.yml --quiet"
    said = terminal.run(f"ecglib prepare {words}")
    assert said.status == 0, said.err
    assert "kept in data/prepared/own-" in said.out
    assert not re.search(r"/(tmp|home|root|work)", said.out)


def test_what_is_no_command_of_the_library_is_refused(terminal):
    for line in ("rm -r mine", ""):
        with pytest.raises(ValueError, match="begins with ecglib"):
            terminal.run(line)
