"""What an output may replace: files only, and those with what belongs to them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import threading
import time
from pathlib import Path

import pytest

from videogn.system.destination import check_file, check_folder, destination, open_through
from videogn.system.files import replacing, replacing_together, write_json, write_text
from videogn.system.partial_files import remove_left_behind

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs the files of Unix")


class _Reader(threading.Thread):
    """Reads a pipe to its end."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.start()

    def run(self) -> None:
        self.found = self.path.read_bytes()

    def text(self) -> str:
        self.join(20)
        return self.found.decode()


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "pipe.txt"
    os.mkfifo(path)
    return path


def test_a_pipe_is_written_through_and_stays(pipe):
    """Also by a writer that goes back, as those of mp4 and parquet do."""
    reader = _Reader(pipe)
    with replacing(pipe) as temporary, temporary.open("wb") as file:
        assert temporary.suffix == ".txt"
        file.write(b"xxcd" + b"e" * 300_000)
        file.seek(0)
        file.write(b"ab")
    assert reader.text() == "abcd" + "e" * 300_000
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert os.listdir(pipe.parent) == [pipe.name]


def test_a_device_is_written_through_and_stays(tmp_path):
    leader, follower = os.openpty()
    try:
        link = tmp_path / "report.json"
        link.symlink_to(os.ttyname(follower))
        write_json(link, [1])
        assert os.read(leader, 100).replace(b"\r\n", b"\n") == b"[\n  1\n]\n"
        assert link.is_symlink()
        assert stat.S_ISCHR(link.stat().st_mode)
    finally:
        os.close(leader)
        os.close(follower)


def test_an_open_file_is_written_on_from_where_it_stands(tmp_path):
    """`>> log` of a shell, whose standard output is then named as the output."""
    path = tmp_path / "log.txt"
    path.write_text("before\n")
    with path.open("a") as log:
        for folder in ("/dev/fd", "/proc/self/fd", f"/proc/{os.getpid()}/fd"):
            name = f"{folder}/{log.fileno()}"
            assert destination(name).through
            write_text(name, "more\n")
    assert path.read_text() == "before\nmore\nmore\nmore\n"


def test_standard_output_is_an_open_file(capfd):
    write_text("/dev/stdout", "to the terminal\n")
    assert capfd.readouterr().out == "to the terminal\n"


def test_the_far_end_of_a_pipe_of_a_shell():
    """As `>(command)` makes it: a number of the process."""
    far, near = os.pipe()
    write_text(f"/dev/fd/{near}", "text")
    os.close(near)
    assert os.read(far, 100) == b"text"
    os.close(far)


def test_a_link_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    (tmp_path / "chain.txt").symlink_to("link.txt")
    link.symlink_to("there/target.txt")
    write_text(tmp_path / "chain.txt", "new")
    assert target.read_text() == "new"
    assert not target.is_symlink()
    assert link.is_symlink()
    assert (tmp_path / "chain.txt").is_symlink()
    with replacing(link) as temporary:  # on the disk of the target, or it could not be renamed
        temporary.write_text("")
        assert temporary.parent == target.parent


def test_a_link_to_nothing_makes_its_target(tmp_path):
    link = tmp_path / "link.txt"
    link.symlink_to("new/target.txt")
    write_text(link, "new")
    assert (tmp_path / "new" / "target.txt").read_text() == "new"
    assert link.is_symlink()


def test_links_of_a_file_with_companions_are_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "net.xml").symlink_to("disk/net.xml")
    with replacing_together(tmp_path / "net.xml") as temporary:
        temporary.write_text("graph")
        temporary.with_suffix(".bin").write_text("weights")
    assert (tmp_path / "disk" / "net.xml").read_text() == "graph"
    assert (tmp_path / "disk" / "net.bin").read_text() == "weights"


def test_a_file_with_companions_does_not_go_to_a_pipe(pipe):
    refusal = r"pipe\.txt is a device or pipe, which cannot take 2 files: name a file"
    with pytest.raises(OSError, match=refusal), replacing_together(pipe) as temporary:  # noqa: PT012
        temporary.write_text("graph")
        temporary.with_suffix(".bin").write_text("weights")
    reader = _Reader(pipe)
    with replacing_together(pipe) as temporary:
        temporary.write_text("graph")
    assert reader.text() == "graph"


def _circle(folder: Path) -> Path:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    return folder / "a"


def _in_a_file(folder: Path) -> Path:
    (folder / "file").write_text("")
    return folder / "file" / "a.txt"


def _linked_folder(folder: Path) -> Path:
    (folder / "link").symlink_to(".")
    return folder / "link"


def _under_a_link_to_nothing(folder: Path) -> Path:
    (folder / "gone").symlink_to("nowhere")
    return folder / "gone" / "new" / "a.txt"


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda folder: folder, "is a folder: name a file"),
        (_linked_folder, "is a folder: name a file"),
        (_circle, "is a link that leads in a circle: name another path"),
        (_in_a_file, "lies in a file, not in a folder: name another path"),
        (lambda folder: _in_a_file(folder) / "b.txt", "lies in a file, not in a folder: name another path"),
        (_under_a_link_to_nothing, "gone is a link to nothing, not a folder"),
        (lambda folder: Path("/dev/fd/987"), "is no open file of this process: name another path"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work(tmp_path, made, reason):
    path = made(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OSError, match=reason) as refused:
        check_file(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_folders_are_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "gone").symlink_to("nowhere")
    with pytest.raises(OSError, match="file must be a folder, and it is a file"):
        check_folder(tmp_path / "file")
    with pytest.raises(OSError, match=r"a cannot be made: .*file is a file, not a folder"):
        check_folder(tmp_path / "file" / "a")
    with pytest.raises(OSError, match="gone must be a folder, and it is a link to nothing"):
        check_folder(tmp_path / "gone")
    check_folder(tmp_path / "new" / "newer")
    assert not (tmp_path / "new").exists()


def test_folders_without_permission(tmp_path, monkeypatch):
    """As another user than root, who may write everywhere."""
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(PermissionError, match=r"a\.txt cannot be written: no permission to write in"):
        check_file(tmp_path / "new" / "a.txt")


def test_a_writer_refuses_too(tmp_path):
    """Whoever did not ask before."""
    with pytest.raises(IsADirectoryError, match="is a folder: name a file"):
        write_text(tmp_path, "text")
    with pytest.raises(NotADirectoryError, match="lies in a file"):
        write_text(_in_a_file(tmp_path), "text")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755, 0o2664])
def test_the_mode_is_kept(tmp_path, mode):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(mode)
    with replacing(path) as temporary:
        assert not stat.S_IMODE(temporary.stat().st_mode) & ~mode & 0o077, (
            "more users could read it while it is written"
        )
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_of_the_mask(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a.txt", "new")
        with replacing_together(tmp_path / "b.txt") as temporary:
            temporary.write_text("new")
    finally:
        os.umask(before)
    for name in ("a.txt", "b.txt"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o666 & ~mask


def test_the_owner_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")
    if os.geteuid() == 0:
        os.chown(path, 12345, 23456)
        write_text(path, "new")
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)
        os.chown(path, 12345, os.getgid())
    else:
        monkeypatch.setattr(os, "geteuid", os.getuid)

    def refused(*arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chown", refused)  # who may not give a file away still writes it
    write_text(path, "newer")
    assert path.read_text() == "newer"


def test_a_second_name_of_a_file_is_no_reason_to_fail(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    os.link(tmp_path / "a.txt", tmp_path / "b.txt")
    write_text(tmp_path / "a.txt", "new")
    assert ((tmp_path / "a.txt").read_text(), (tmp_path / "b.txt").read_text()) == ("new", "old")


def test_names_of_any_length(tmp_path):
    """The temporary one is longer, and no name may have more than 255 bytes."""
    for name in ("é" * 125 + ".json", "a" * 255, "a" * 250 + ".json"):
        write_text(tmp_path / name, name)
        with replacing_together(tmp_path / name) as temporary:
            temporary.write_text(name)
        assert (tmp_path / name).read_text() == name
    assert len(os.listdir(tmp_path)) == 3


def test_nothing_is_written_to_a_pipe_of_a_failed_writer(pipe):
    with pytest.raises(ValueError, match="early"), replacing(pipe):
        raise ValueError("early")  # would wait for a reader otherwise


def test_a_pipe_that_has_gone_is_not_made_a_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_through(tmp_path / "pipe")
    assert not list(tmp_path.iterdir())


def _write_for_ever(path: Path, together: bool) -> None:
    with (replacing_together if together else replacing)(path) as temporary:
        temporary.write_text("half")
        time.sleep(600)


def _partial(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if ".partial" in path.name and (path.is_file() or list(path.iterdir()))]


@pytest.mark.parametrize("together", [False, True])
def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path, together):
    """And nothing of one that lives."""
    path = tmp_path / "a.tar.gz"
    writer = multiprocessing.get_context("fork").Process(target=_write_for_ever, args=(path, together))
    writer.start()
    while not _partial(tmp_path):
        time.sleep(0.01)
    (left,) = _partial(tmp_path)
    write_text(path, "of another")
    remove_left_behind(path)
    assert _partial(tmp_path) == [left]
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    write_text(tmp_path / "b.tar.gz", "of another file")
    assert _partial(tmp_path) == [left]
    write_text(path, "whole")
    assert sorted(os.listdir(tmp_path)) == ["a.tar.gz", "b.tar.gz"]


def test_what_older_versions_left_goes_too(tmp_path):
    """Files, folders of exported networks; and nothing that only looks like them."""
    for name in (".net.0123abcd.partial.xml", ".net.0123abcd.partial"):
        (tmp_path / name).write_text("half")
    (tmp_path / ".net.x_1yz9ab.partial").mkdir()
    (tmp_path / ".net.x_1yz9ab.partial" / "net.bin").write_text("half")
    others = {".net.partial.xml", ".net.0123.partial.xml", ".nets.0123abcd.partial.xml", ".net.0123ABCD.partial.xml"}
    for name in others:
        (tmp_path / name).write_text("of the user")
    (tmp_path / ".net.0123abce.partial.xml").symlink_to("elsewhere")
    os.mkfifo(tmp_path / ".net.0123abcf.partial.xml")
    write_text(tmp_path / "net.xml", "whole")
    kept = {".net.0123abce.partial.xml", ".net.0123abcf.partial.xml", "net.xml"}
    assert set(os.listdir(tmp_path)) == others | kept
