import subprocess
from pathlib import Path

import pytest

from ecglib import paths

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("ECGLIB_DATA", "ECGLIB_OUTS", "ECGLIB_MIRROR"):
        monkeypatch.delenv(name, raising=False)


def test_data_and_results_lie_in_the_root_by_default():
    assert paths.data() == paths.root() / "data"
    assert paths.outs() == paths.root() / "outs"


def test_the_environment_moves_data_and_results(monkeypatch, tmp_path):
    monkeypatch.setenv("ECGLIB_DATA", str(tmp_path / "here"))
    monkeypatch.setenv("ECGLIB_OUTS", str(tmp_path / "there"))
    assert paths.data() == tmp_path / "here"
    assert paths.outs() == tmp_path / "there"


def test_a_relative_setting_and_a_home_become_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ECGLIB_DATA", "some")
    assert paths.data() == tmp_path / "some"
    monkeypatch.setenv("ECGLIB_DATA", "~/some")
    assert paths.data() == Path.home() / "some"


def test_downloads_come_from_physionet_unless_a_mirror_is_named(monkeypatch):
    assert paths.mirror() == "https://physionet.org"
    monkeypatch.setenv("ECGLIB_MIRROR", "")
    assert paths.mirror() == "https://physionet.org"
    monkeypatch.setenv("ECGLIB_MIRROR", "/mnt/copy")
    assert paths.mirror() == "/mnt/copy"


@pytest.mark.parametrize("profile", ["demo", "full"])
@pytest.mark.parametrize("source", ["physionet", "course", "synthetic"])
def test_only_full_runs_on_real_recordings_reach_the_published_ledger(profile, source):
    is_demo = paths.demo("runs") == paths.ledger(profile=profile, source=source)
    assert is_demo != (profile == "full" and source == "physionet")


def test_demo_results_never_lie_among_published_ones():
    assert paths.published("exercise_03") == paths.outs() / "exercise_03"
    assert paths.demo("exercise_03") == paths.outs() / "demo" / "exercise_03"


def test_without_a_book_beside_the_package_the_working_folder_is_the_root(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "site-packages" / "ecglib" / "paths.py"))
    monkeypatch.chdir(tmp_path)
    assert paths.root() == tmp_path


@pytest.mark.parametrize(
    ("file", "tracked"), [("a.mat", "lfs"), ("deep/a.zip", "lfs"), (".gitkeep", "unspecified")]
)
def test_the_courses_file_is_tracked_with_lfs(file, tracked):
    command = ["git", "check-attr", "filter", f"data/ecg/{file}"]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if answer.returncode:
        pytest.skip("not a git checkout")
    assert answer.stdout.strip().endswith(f"filter: {tracked}")
