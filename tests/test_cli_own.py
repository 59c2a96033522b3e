"""From a folder of recordings to a scored one, command by command."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from ecglib import cli, own, score


class Done:
    """What a command printed, and its exit status."""

    def __init__(self, status, printed):
        self.status, self.out, self.err = status, printed.out, printed.err

    @property
    def line(self):
        """The one line of an error."""
        (line,) = self.err.strip().splitlines()
        return line

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """Recordings of ten people as EDF and WFDB, and a run on them."""
    folder = tmp_path_factory.mktemp("workshop")
    own.generate(folder / "mine", n_patients=10, formats=("edf", "wfdb"), duration_s=20, seed=1)
    words = ["train", *DATA, "-m", "tiny_cnn", "--set", "epochs=1", "-q", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "ecglib", *words], cwd=folder, env=os.environ | places(folder),
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


DATA = ("--data", "mine/edf", "--settings", "mine/edf/settings.yml")
RECORDING = "mine/edf/p000_a.edf"


def places(folder):
    return {"ECGLIB_DATA": str(folder / "data"), "ECGLIB_OUTS": str(folder / "outs")}


@pytest.fixture
def ecglib(workshop, monkeypatch, capsys):
    folder, _ = workshop
    monkeypatch.chdir(folder)
    for name, value in places(folder).items():
        monkeypatch.setenv(name, value)

    def command(*words):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main(words)
        status = stop.value.code
        printed = capsys.readouterr()
        if isinstance(status, str):  # which Python prints as it leaves
            printed = printed._replace(err=printed.err + status)
            status = 1
        return Done(status or 0, printed)

    return command


@pytest.fixture
def published(ecglib, workshop):
    done = ecglib("runs", "publish", "last", "--name", "mine", "--about", "A try.", "--json")
    assert done.json["files"] == ["card.md", "config.json", "model.safetensors"]
    return "mine"


def test_check_tells_what_is_in_a_folder(ecglib):
    done = ecglib("new-data", "check", "mine/edf", "-q")
    assert done.status == 0 and "10 recordings (edf 10)" in done.out
    assert "to settle: labels" in done.out
    found = ecglib("new-data", "check", *DATA[1:], "--json", "-q").json
    assert found["ready"] and set(found["classes"]) == {"AFIB", "NSR"}
    flags = ecglib("new-data", "check", "mine/wfdb", "--lead", "2", "--labels", "labels.csv", "-q")
    assert "to settle" not in flags.out and "label NSR" in flags.out


def test_generate_makes_a_folder_for_each_format(ecglib, tmp_path):
    words = f"new-data generate {tmp_path} -f csv --patients 2 --duration-s 10 --json"
    assert list(ecglib(*words.split()).json) == ["csv"]
    assert len(list((tmp_path / "csv").glob("p*.csv"))) == 2
    assert "need a new folder" in ecglib(*words.split()).line


def test_prepare_tells_what_was_cut(ecglib):
    found = ecglib("prepare", *DATA, "--json", "-q").json
    assert (found["task"], found["patients"], found["seconds"]) == ("own", 10, 4.0)
    assert sum(found["classes"].values()) == found["windows"]
    other = ecglib("prepare", *DATA, "--json", "-q", "--set", "window_s=2").json
    assert other["windows"] > found["windows"]


def test_train_writes_to_the_ledger_and_says_where(ecglib, workshop):
    folder, made = workshop
    assert made["folder"] == str(folder / "outs" / "demo" / "runs" / made["run"])
    assert made["trained"] and made["epochs"] == 1
    os.utime(made["folder"], (1e9, 1e9))
    again = ecglib("train", *DATA, "-m", "tiny_cnn", "--set", "epochs=1", "-q")
    assert "was there already" in again.out and made["folder"] in again.out
    assert os.stat(made["folder"]).st_mtime > 1e9  # so `last` is the run that was asked for last


def test_train_shows_every_setting_as_set_takes_it(ecglib):
    done = ecglib("train", *DATA, "-m", "tiny_cnn", "--show", "-q", "--set", "lr=1e-2")
    pairs = [line.strip() for line in done.out.splitlines() if line.startswith("  ")]
    assert "lr=0.01" in pairs and "kernel=9" in pairs and "window_s=4.0" in pairs


def test_evaluate_prints_scores_with_intervals_and_the_confusion(ecglib, workshop):
    _, made = workshop
    done = ecglib("evaluate", made["run"][:5], "--picture", "confusion.png")
    assert "macro_f1" in done.out and " to " in done.out and "true below" in done.out
    found = ecglib("evaluate", "last", "--json").json
    assert sum(map(sum, found["confusion"])) == found["n"]
    assert os.path.getsize("confusion.png")


def test_explain_writes_a_picture_and_a_table(ecglib):
    done = ecglib("explain", "last", "--window", "3", "-o", "looked.png", "--json")
    assert done.json["windows"][0]["window"] == 3
    table = pd.read_parquet("looked.parquet")
    assert len(table) == 1000 and {"time_s", "lead_1", "attribution"} <= set(table)
    assert os.path.getsize("looked.png")


def test_runs_are_listed_and_shown(ecglib, workshop):
    _, made = workshop
    assert made["run"] in [row["id"] for row in ecglib("runs", "list", "--json").json]
    done = ecglib("runs", "show", "last")
    assert "model=tiny_cnn" in done.out and "validation_loss" in done.out
    assert "two runs or more" in ecglib("runs", "compare", "last").line


def test_score_tells_what_was_decided_when(ecglib, published):
    done = ecglib("score", RECORDING, "-m", published, "-o", "one.parquet", "--picture", "one.png")
    assert done.status == 0 and "0:00:00.0 to" in done.out
    table = pd.read_parquet("one.parquet")
    assert set(table["decision"]) <= {"NSR", "AFIB"} and os.path.getsize("one.png")
    by_run = ecglib("score", RECORDING, "-m", "last", "--json", "-q").json
    (found,) = by_run["recordings"]
    assert sum(found["seconds"].values()) == pytest.approx(20, abs=0.1)


def test_a_recording_that_cannot_be_read_keeps_no_other_from_being_scored(ecglib, published):
    with open("junk.edf", "w") as file:
        file.write("hello")
    done = ecglib("score", RECORDING, "junk.edf", "-m", published, "-o", "two.parquet", "-q")
    assert done.status == 1 and done.line.startswith("ecglib: junk.edf: need an EDF file")
    assert set(pd.read_parquet("two.parquet")["record"]) == {"p000_a"}
    os.remove("two.parquet")
    alone = ecglib("score", "junk.edf", "-m", published, "-o", "two.parquet", "-q")
    assert alone.status == 1 and not os.path.exists("two.parquet")


def test_many_recordings_go_through_ray(ecglib, published, monkeypatch):
    calls = []

    def fleet(paths, model, *, out, **how):
        calls.append((len(paths), model.name, how["cpus"], how["gate"]))
        found = {"file": ["a", "b"], "record": ["a", "b"], "n_windows": [5, 0]}
        return score.Fleet(out, pd.DataFrame(found | {"node": 1, "error": ["", "too short"]}))

    monkeypatch.setattr(score, "fleet", fleet)
    done = ecglib(
        "score", "mine/edf", "-m", published, "-o", "f.parquet", "--cpus", "2", "--no-gate"
    )
    assert calls == [(10, published, 2, False)]
    assert "1 recording, 5 windows" in done.out
    assert done.status == 1 and done.line == "ecglib: b: too short"


def test_export_writes_onnx_with_its_card(ecglib, published):
    done = ecglib("export", published, "-o", "mine.onnx", "--json")
    assert done.json["bytes"] == os.path.getsize("mine.onnx")
    assert done.json["difference"] < 1e-4 and os.path.exists("mine.md")


def test_a_model_that_was_changed_is_refused(ecglib, published, workshop):
    source = workshop[0] / "outs" / "demo" / "models" / published
    shutil.copytree(source, "changed", dirs_exist_ok=True)
    with open("changed/model.safetensors", "ab") as file:
        file.write(b"x")
    for words in (("score", RECORDING, "-m", "changed"), ("export", "changed", "-o", "c.onnx")):
        done = ecglib(*words)
        assert done.status == 1 and "changed after it was published" in done.line
    assert not os.path.exists("c.onnx")


MISTAKES = {  # words: exit status, part of the line
    "trian": (2, "Did you mean 'train'"),
    "train --modle cnn": (2, "--model"),
    "train --task shok": (2, "'shok' is not one of 'shock'"),
    "train --task own": (2, "--data FOLDER"),
    "train --task shock --data mine/edf": (2, "--data is for recordings of your own"),
    "train --rate 250": (2, "--rate is for recordings of your own"),
    "train --data mine/edf --model cnnn": (1, "did you mean 'cnn'"),
    "train --data mine/edf --set epoch=3": (1, "did you mean 'epochs'"),
    "train --data mine/edf --set epochs=few": (1, "need epochs as a number, got 'few'"),
    "train --data nowhere": (1, "nowhere: need a folder of recordings"),
    "train --data void": (1, "void: need recordings"),
    "train --data unlabelled": (1, "need `labels`"),
    "train --data mine/edf --labels no.csv": (1, "no.csv: need a table of labels"),
    "train --data mine/edf --settings no.yml": (1, "no.yml: need a file of settings"),
    "prepare --task rhythms --set from=x": (1, "did you mean 'form'"),
    "new-data check nowhere": (1, "nowhere: need a folder"),
    "new-data chek mine": (2, "Did you mean 'check'"),
    "evaluate zzz": (1, "got 'zzz'"),
    "evaluate last --picture no/c.png": (1, "need a folder to write c.png into"),
    "explain last --window 99999": (1, "got 99999"),
    "explain last --method gradcam": (1, "did you mean 'grad_cam'"),
    "explain last -o looked.jpg": (1, "*.png"),
    "runs compare last": (1, "need two runs or more"),
    "runs publish last --name a/b": (1, "need a name of letters"),
    "runs list --task shok": (1, "no run of task 'shok'"),
    f"score {RECORDING} -m nobody": (1, "no published model 'nobody'"),
    "score none.edf -m last": (1, "none.edf: need a recording"),
    f"score {RECORDING} -m last -o void": (1, "*.parquet"),
    "score mine/wfdb/p000_a.hea -m last": (1, "need one lead, the file has 2"),
    "score mine/edf -m last --picture all.png": (2, "--picture is for one recording"),
    "export last -o x.bin": (1, "*.onnx"),
    "fetch mitbd": (1, "did you mean 'mitdb'"),
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_told_in_one_line(words, ecglib):
    os.makedirs("void", exist_ok=True)
    os.makedirs("unlabelled", exist_ok=True)
    shutil.copy(RECORDING, "unlabelled")
    before = sorted(os.listdir())
    done = ecglib(*words.split())
    status, told = MISTAKES[words]
    assert done.status == status
    assert told in done.line and done.line.startswith("ecglib: ")
    assert done.out == ""
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    "words",
    ["", "train", "evaluate", "explain", "score", "export", "fetch", "prepare", "hypertune", "book",
     "runs list", "runs show", "runs compare", "runs publish", "new-data check",
     "new-data generate"],
)  # fmt: skip
def test_every_command_has_help_with_examples(ecglib, words):
    done = ecglib(*words.split(), "--help")
    assert done.status == 0
    assert f"ecglib {words}".strip() in done.out.split("Usage:")[1].split("\n", 1)[1]


def test_help_brings_neither_torch_nor_ray():
    code = (
        "import sys\nfrom ecglib import cli\n"
        "try: cli.main(['train', '--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'ray', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_ctrl_c_leaves_no_half_a_run_and_says_130(workshop, tmp_path):
    folder, _ = workshop
    ledger = tmp_path / "ledger"
    words = ["train", *DATA, "-m", "tiny_cnn", "--set", "epochs=100000", "--ledger", str(ledger)]
    process = subprocess.Popen(
        [sys.executable, "-m", "ecglib", *words, "-q"], cwd=folder,
        env=os.environ | places(folder), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until = time.monotonic() + 120
    while not list(ledger.glob(".*/checkpoint.safetensors")) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip() == "ecglib: stopped"
    assert [path for path in ledger.iterdir() if not path.name.startswith(".")] == []
