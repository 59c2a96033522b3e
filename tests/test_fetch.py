import errno
import hashlib
import json
import os
import shutil
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ecglib import download, fetch, paths, unpack

TINY = fetch.Database(
    title="Tiny",
    archive="static/tiny.zip",
    records=("a1", "a2"),
    extensions=(".atr", ".dat", ".hea"),
    fs=250,
    n_leads=2,
    n_samples=(10, 10),
)
LABELLED = fetch.Database(
    title="Labelled",
    archive="files/labelled.zip",
    records=("A1", "A2"),
    extensions=(".hea", ".mat"),
    fs=300,
    n_leads=1,
    n_samples=(5, 50),
    tables=("files/REFERENCE-v3.csv",),
    has_sums=False,
)
REAL_MIRROR = os.environ.get("ECGLIB_MIRROR")


@pytest.fixture(autouse=True)
def two_small_databases(monkeypatch, tmp_path):
    monkeypatch.setenv("ECGLIB_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("ECGLIB_MIRROR", raising=False)
    monkeypatch.setitem(fetch.DATABASES, "tiny", TINY)
    monkeypatch.setitem(fetch.DATABASES, "labelled", LABELLED)


def tiny_files() -> dict[str, bytes]:
    files = {}
    for record in TINY.records:
        header = f"{record} 2 250 10\n" + f"{record}.dat 212 200 12 0 0 0 0 ECG\n" * 2
        files |= {
            f"{record}.hea": header.encode(),
            f"{record}.dat": bytes(range(30)),
            f"{record}.atr": record.encode() + b"\0\0",
        }
    return files


def sums_of(files: dict[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(c).hexdigest()} {f}\n" for f, c in files.items()).encode()


def put(
    mirror: Path,
    files: dict[str, bytes],
    *,
    sums: bytes | None = None,
    packing: int = zipfile.ZIP_DEFLATED,
    path: str = TINY.archive,
) -> Path:
    """Write the zip of a database into a mirror; returns the mirror."""
    archive = mirror / path
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", packing) as packed:
        for file, content in files.items():
            packed.writestr(file if "/" in file else f"tiny-1.0.0/{file}", content)
        if sums is not None:
            packed.writestr(f"tiny-1.0.0/{fetch.SUMS}", sums)
    return mirror


@pytest.fixture
def mirror(tmp_path):
    files = tiny_files()
    return put(tmp_path / "mirror", files, sums=sums_of(files))


def get(mirror, name: str = "tiny") -> Path:
    return fetch.fetch(name, mirror=str(mirror), progress=False)


def nothing_remains(name: str = "tiny") -> bool:
    left = list(paths.data().iterdir()) if paths.data().exists() else []
    return not fetch.available(name) and all(path.name == "downloads" for path in left)


class Server(ThreadingHTTPServer):
    """Serves a folder, with ranges; can break off and ignore ranges."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.ranges, self.break_after, self.knows_ranges = folder, [], [], True
        self.address = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        wanted, server = self.headers.get("Range"), self.server
        server.ranges.append(wanted)
        file = server.folder / self.path.lstrip("/")
        if not file.is_file():
            return self.send_error(404)
        content = file.read_bytes()
        start = int(wanted.split("=")[1].rstrip("-")) if wanted and server.knows_ranges else 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = start + server.break_after.pop(0) if server.break_after else None
        self.wfile.write(content[start:stop])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(mirror, monkeypatch):
    monkeypatch.setattr(download, "CHUNK", 10)
    server = Server(mirror)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


# where it comes from


@pytest.mark.parametrize("base", ["{}", "{}/", "file://{}", "file:{}"])
def test_a_local_mirror_is_a_folder_or_a_file_address(mirror, base):
    folder = get(base.format(mirror))
    assert folder == paths.data() / "tiny"
    assert {f: (folder / f).read_bytes() for f in TINY.files} == tiny_files()
    assert (mirror / TINY.archive).exists()


def test_the_environment_names_the_mirror(mirror, monkeypatch):
    monkeypatch.setenv("ECGLIB_MIRROR", str(mirror))
    assert fetch.fetch_all(["tiny"], progress=False) == {"tiny": paths.data() / "tiny"}


def test_a_mirror_with_spaces_in_its_name_works_as_an_address(mirror, tmp_path):
    moved = mirror.rename(tmp_path / "my mirror")
    assert get(moved.as_uri()).is_dir()


def test_an_http_mirror_gives_the_same_files_and_leaves_no_download(server):
    folder = get(server.address + "/")
    assert {f: (folder / f).read_bytes() for f in TINY.files} == tiny_files()
    assert list((paths.data() / "downloads").iterdir()) == []


def test_a_download_that_breaks_off_is_resumed_by_itself(server):
    server.break_after = [100, 50]
    assert get(server.address).is_dir()
    assert server.ranges == [None, "bytes=100-", "bytes=150-"]


def test_a_download_that_keeps_breaking_is_resumed_by_the_next_call(server):
    server.break_after = [100, 10, 10]
    with pytest.raises(fetch.FetchError, match="try again"):
        get(server.address)
    assert nothing_remains()
    assert (paths.data() / "downloads" / "tiny-tiny.zip.part").stat().st_size == 120
    assert get(server.address).is_dir()
    assert server.ranges[-1] == "bytes=120-"


def test_a_server_without_ranges_starts_again(server, mirror, tmp_path):
    server.break_after, server.knows_ranges = [100], False
    file = download.locate(
        server.address, TINY.archive, folder=tmp_path, name="tiny.zip", progress=False
    )
    assert file.read_bytes() == (mirror / TINY.archive).read_bytes()
    assert server.ranges == [None, "bytes=100-"]


def test_a_partial_download_that_is_already_whole_is_taken(server, mirror):
    part = paths.data() / "downloads" / "tiny-tiny.zip.part"
    part.parent.mkdir(parents=True)
    shutil.copyfile(mirror / TINY.archive, part)
    assert get(server.address).is_dir()


def test_a_partial_download_longer_than_the_file_is_thrown_away(server, mirror):
    part = paths.data() / "downloads" / "tiny-tiny.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 10_000)
    assert get(server.address).is_dir()


def test_a_file_that_the_server_lacks_names_its_address_and_the_mirror(server, mirror):
    (mirror / TINY.archive).unlink()
    with pytest.raises(fetch.FetchError, match=r"tiny\.zip: status 404; .*ECGLIB_MIRROR") as got:
        get(server.address)
    assert "\n" not in str(got.value)


def test_a_connection_that_is_refused_is_not_tried_again_and_again(server, monkeypatch):
    tried = []

    def refuse(url, **_):
        tried.append(url)
        raise download.requests.ConnectionError("refused")

    monkeypatch.setattr(download.requests, "get", refuse)
    with pytest.raises(fetch.FetchError, match="no answer"):
        get(server.address)
    assert len(tried) == 1


def test_no_network_says_in_one_line_what_was_tried_and_how_to_use_a_mirror(server):
    server.shutdown()
    server.server_close()
    with pytest.raises(fetch.FetchError, match=r"no answer from http.*ECGLIB_MIRROR") as got:
        get(server.address)
    assert "\n" not in str(got.value)
    assert nothing_remains()


def test_a_damaged_download_is_thrown_away_so_that_the_next_call_gets_a_fresh_one(server, mirror):
    archive = mirror / TINY.archive
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-50])
    with pytest.raises(fetch.FetchError, match="damaged"):
        get(server.address)
    archive.write_bytes(whole)
    assert get(server.address).is_dir()


@pytest.mark.parametrize("base", ["ftp://host/physionet", "s3://bucket"])
def test_other_kinds_of_address_are_refused(base):
    with pytest.raises(fetch.FetchError, match=base):
        get(base)


def test_a_mirror_that_is_not_there_is_named(tmp_path):
    with pytest.raises(fetch.FetchError, match="nowhere"):
        get(tmp_path / "nowhere")
    assert nothing_remains()


def test_an_unknown_database_names_the_known_ones():
    with pytest.raises(ValueError, match=r"mitdb, vfdb, cudb, challenge-2017.*'ptb'"):
        fetch.fetch("ptb")


# what is verified


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_the_packing_of_the_zip_does_not_matter(tmp_path, packing, mirror):
    get(mirror)
    digest = fetch.digest("tiny")
    shutil.rmtree(paths.data())
    files = tiny_files()
    get(put(tmp_path / "other", files, sums=sums_of(files), packing=packing))
    assert fetch.digest("tiny") == digest


def test_files_that_a_copy_leaves_out_or_adds_do_no_harm(tmp_path):
    files = tiny_files()
    sums = sums_of(files | {"x_tiny/x_a1.dat": b"", "a1-0.atr": b"", "plot.png": b""})
    extra = {"index.html": b"<p>", "tiny-1.0.0/deep/a1.dat": b"another", "RECORDS": b"a1\n"}
    folder = get(put(tmp_path / "mirror", files | extra, sums=sums))
    assert {p.name for p in folder.iterdir()} - {fetch.NOTE, fetch.SUMS} == set(TINY.files)
    assert (folder / "a1.dat").read_bytes() == files["a1.dat"]


def test_an_altered_file_is_named(tmp_path):
    files = tiny_files()
    sums = sums_of(files)
    files["a2.dat"] = bytes(30)
    with pytest.raises(fetch.FetchError, match=r"a2\.dat does not match the SHA256SUMS"):
        get(put(tmp_path / "mirror", files, sums=sums))
    assert nothing_remains()


@pytest.mark.parametrize("file", ["a1.dat", "a2.hea", "a2.atr"])
def test_a_missing_file_is_named(tmp_path, file):
    files = tiny_files()
    sums = sums_of(files)
    del files[file]
    with pytest.raises(fetch.FetchError, match=file):
        get(put(tmp_path / "mirror", files, sums=sums))
    assert nothing_remains()


def test_a_file_without_a_checksum_in_the_list_is_named(tmp_path):
    files = tiny_files()
    sums = b"\n".join(line for line in sums_of(files).splitlines() if b"a1.atr" not in line)
    with pytest.raises(fetch.FetchError, match=r"a1\.atr .*a line about it"):
        get(put(tmp_path / "mirror", files, sums=sums))


def test_a_list_of_checksums_is_needed_where_every_copy_has_one(tmp_path):
    with pytest.raises(fetch.FetchError, match="SHA256SUMS"):
        get(put(tmp_path / "mirror", tiny_files()))


def test_how_a_database_was_verified_is_told(mirror, tmp_path, monkeypatch):
    get(mirror)
    assert fetch.verification("tiny") == "checksums"
    shutil.rmtree(paths.data())
    monkeypatch.setitem(fetch.DATABASES, "tiny", fetch.Database(**vars(TINY) | {"has_sums": False}))
    get(put(tmp_path / "other", tiny_files()))
    assert fetch.verification("tiny") == "shape"


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("a1 2 360 10\n", "250 Hz"),
        ("a1 1 250 10\n", "2 leads"),
        ("a9 2 250 10\n", "record a1"),
        ("a1 2 250 11\n", "samples"),
        ("a1 2 250 ten\n", "need a header"),
        ("a1\n", "need a header"),
        ("", "need a header"),
    ],
)
def test_a_header_of_another_shape_is_refused(tmp_path, header, why):
    files = tiny_files()
    files["a1.hea"] = (header + "a1.dat 212 200 12 0 0 0 0 ECG\n" * 2 * bool(header)).encode()
    with pytest.raises(fetch.FetchError, match=rf"a1\.hea.*{why}"):
        get(put(tmp_path / "mirror", files, sums=sums_of(files)))
    assert nothing_remains()


def test_a_signal_shorter_than_its_header_says_is_refused(tmp_path):
    files = tiny_files()
    files["a1.dat"] = files["a1.dat"][:-1]
    with pytest.raises(fetch.FetchError, match=r"a1\.hea: .*30 bytes, got 10, 29"):
        get(put(tmp_path / "mirror", files, sums=sums_of(files)))


def labelled(mirror: Path, labels: str) -> Path:
    files = {}
    for record, n in (("A1", 20), ("A2", 30)):
        header = f"{record} 1 300 {n} 05:05:15\n{record}.mat 16+24 1000/mV 16 0 0 0 0 ECG\n"
        files |= {f"{record}.hea": header.encode(), f"{record}.mat": bytes(24 + 2 * n)}
    put(mirror, files, path=LABELLED.archive)
    (mirror / LABELLED.tables[0]).write_text(labels)
    return mirror


def test_a_table_of_labels_comes_along(tmp_path):
    folder = get(labelled(tmp_path / "mirror", "A1,N\nA2,~\n"), "labelled")
    assert (folder / "REFERENCE-v3.csv").read_text() == "A1,N\nA2,~\n"
    assert fetch.verification("labelled") == "shape"


@pytest.mark.parametrize("labels", ["A1,N\n", "A1,N\nA3,O\n", "A1,N\nA2,X\n", "A1,N\nA2\n", ""])
def test_a_table_that_does_not_label_every_record_is_refused(tmp_path, labels):
    with pytest.raises(fetch.FetchError, match=r"REFERENCE-v3\.csv"):
        get(labelled(tmp_path / "mirror", labels), "labelled")
    assert nothing_remains("labelled")


# what a zip may not do


@pytest.mark.parametrize("path", ["../a1.dat", "/etc/a1.dat", "tiny/../../a1.dat", "C:\\a1.dat"])
def test_a_path_out_of_the_folder_is_refused(tmp_path, path):
    files = tiny_files()
    with pytest.raises(fetch.FetchError, match="would leave its folder"):
        get(put(tmp_path / "mirror", files | {f"{path}/x": b"bad"}, sums=sums_of(files)))
    assert nothing_remains()


def test_a_link_is_refused(mirror):
    link = zipfile.ZipInfo("tiny-1.0.0/link.dat")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(mirror / TINY.archive, "a") as packed:
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(fetch.FetchError, match=r"link\.dat is a link"):
        get(mirror)


def test_a_name_that_is_there_twice_is_refused(mirror):
    with zipfile.ZipFile(mirror / TINY.archive, "a") as packed:
        packed.writestr("other/a1.dat", b"which of the two?")
    with pytest.raises(fetch.FetchError, match=r"a1\.dat is there twice"):
        get(mirror)


def test_a_bomb_is_refused_by_its_ratio(tmp_path):
    files = tiny_files() | {"zeros": bytes(10_000_000)}
    with pytest.raises(fetch.FetchError, match="zeros is packed more than 100 to 1"):
        get(put(tmp_path / "mirror", files, sums=sums_of(files)))


@pytest.mark.parametrize(("limit", "value"), [("MAX_MEMBERS", 5), ("MAX_BYTES", 100)])
def test_too_many_files_or_too_many_bytes_are_refused(mirror, monkeypatch, limit, value):
    monkeypatch.setattr(unpack, limit, value)
    with pytest.raises(fetch.FetchError, match="need at most"):
        get(mirror)
    assert nothing_remains()


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_damage_anywhere_in_a_zip_is_noticed(tmp_path, packing):
    files = tiny_files()
    archive = put(tmp_path / "mirror", files, sums=sums_of(files), packing=packing) / TINY.archive
    whole = archive.read_bytes()
    good = {f: c for f, c in files.items() if f in TINY.files}
    for at in range(0, len(whole), 23):
        archive.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            folder = get(tmp_path / "mirror")
        except fetch.FetchError as error:
            assert str(error).startswith(str(archive))
            assert nothing_remains()
        else:  # a byte that nothing depends on, such as a date
            assert {f: (folder / f).read_bytes() for f in TINY.files} == good
            shutil.rmtree(folder)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_truncated_zip_is_refused(mirror, share):
    archive = mirror / TINY.archive
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(fetch.FetchError, match=r"tiny\.zip: need a whole zip"):
        get(mirror)
    assert nothing_remains()


# what remains


def test_a_second_call_asks_for_nothing(server):
    get(server.address)
    asked = len(server.ranges)
    get(server.address)
    get("/nowhere")
    assert len(server.ranges) == asked


def test_a_file_lost_or_cut_short_later_is_fetched_again(mirror):
    folder = get(mirror)
    (folder / "a1.dat").write_bytes(b"short")
    assert not fetch.available("tiny")
    get(mirror)
    (folder / "a2.hea").unlink()
    assert not fetch.available("tiny")
    assert (get(mirror) / "a2.hea").exists()
    assert [p.name for p in paths.data().iterdir()] == ["tiny"]


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"files": []}', '{"files": {"a1.dat": 1}}'])
def test_a_damaged_note_counts_as_not_fetched(mirror, note):
    folder = get(mirror)
    (folder / fetch.NOTE).write_text(note)
    assert not fetch.available("tiny")
    get(mirror)
    assert fetch.available("tiny")


def test_files_of_somebody_else_are_left_alone(mirror):
    own = paths.data() / "tiny" / "a1.dat"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    with pytest.raises(fetch.FetchError, match="move it away"):
        get(mirror)
    assert own.read_text() == "mine"


def test_the_digest_is_that_of_the_verified_files(mirror):
    get(mirror)
    lines = sorted((f, hashlib.sha256(c).hexdigest()) for f, c in tiny_files().items())
    text = "".join(f"{checksum}  {file}\n" for file, checksum in lines)
    assert fetch.digest("tiny") == hashlib.sha256(text.encode()).hexdigest()


def test_the_digest_of_what_was_not_fetched_says_how_to_fetch():
    with pytest.raises(fetch.FetchError, match="make data"):
        fetch.digest("tiny")


def test_a_full_disk_is_seen_before_unpacking(mirror, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=10)
    monkeypatch.setattr(unpack.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(fetch.FetchError, match=r"no space left in .*data"):
        get(mirror)
    assert nothing_remains()


def test_a_disk_that_fills_up_while_unpacking_leaves_nothing(mirror, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(unpack, "_write", full)
    with pytest.raises(fetch.FetchError, match="no space left"):
        get(mirror)
    assert nothing_remains()


def test_a_disk_that_fills_up_while_downloading_says_so(server, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "_append_rest", full)
    with pytest.raises(fetch.FetchError, match="no space left"):
        get(server.address)
    assert nothing_remains()


def test_a_data_folder_that_cannot_be_made_is_named(mirror, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ECGLIB_DATA", str(tmp_path / "file" / "data"))
    with pytest.raises(fetch.FetchError, match=str(tmp_path / "file")):
        get(mirror)


def test_fetching_says_nothing_when_asked_to_be_silent(server, capfd):
    get(server.address)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("name", "n"), [("mitdb", 48), ("vfdb", 22), ("cudb", 35)])
def test_the_lists_of_records_are_complete(name, n):
    assert len(set(fetch.DATABASES[name].records)) == n


# the databases themselves


@pytest.mark.real
@pytest.mark.skipif(not REAL_MIRROR, reason="needs a mirror in ECGLIB_MIRROR")
@pytest.mark.parametrize("name", ["vfdb", "cudb"])
def test_a_real_database_is_fetched_whole_and_only_once(name):
    folder = get(REAL_MIRROR, name)
    note = json.loads((folder / fetch.NOTE).read_text())
    assert set(note["files"]) == set(fetch.DATABASES[name].files)
    start = time.perf_counter()
    assert get("/nowhere", name) == folder
    assert time.perf_counter() - start < 1
