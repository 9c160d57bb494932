"""Signals that ask to end: at once, later, or by an event; real signals to this process, and a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from videogn.system import stopping
from videogn.system.stopping import STOP_SIGNALS, StopEvent, Stopped, asking, going_on, stoppable, stopping_later


def send(number):
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def _handlers():
    """Nothing is left behind."""
    before = {number: signal.getsignal(number) for number in (*STOP_SIGNALS, signal.SIGCHLD, signal.SIGALRM)}
    yield
    assert {number: signal.getsignal(number) for number in before} == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.fixture
def _brief(monkeypatch):
    """No second is the same one, and patience is short."""
    monkeypatch.setattr(stopping, "_ONE_REQUEST", 0)
    monkeypatch.setattr(stopping.LaterStop, "patience", 0.05)
    monkeypatch.setattr(stopping.LaterStop, "longest", 0.3)


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGUSR1, 138), (signal.SIGUSR2, 140)],
)
def test_statuses(number, status):
    with pytest.raises(Stopped) as stopped, stoppable():
        send(number)
    assert (stopped.value.number, stopped.value.status, stopped.value.how) == (number, status, "")


@pytest.mark.parametrize("raised", [RuntimeError("a loader process died"), SystemExit(0), SystemExit(1), None])
def test_what_a_signal_causes_is_a_stop(raised):
    """Also an end of a library's own, whatever its status, and an end as if nothing had happened."""
    with pytest.raises(Stopped), stoppable():  # noqa: PT012  a signal comes inside
        try:
            send(signal.SIGTERM)
        except Stopped:
            if raised is not None:
                raise raised from None


class _Ending:
    def __del__(self):
        send(signal.SIGTERM)


@pytest.mark.parametrize("way", [stoppable, stopping_later])
def test_a_signal_at_the_end_of_an_object_is_not_lost(monkeypatch, capsys, way):
    """Where Python lets no error out it would show a traceback, and the work would be done to its end."""
    monkeypatch.setattr(stopping, "_ONE_REQUEST", 0.05)
    hook, began = sys.unraisablehook, time.monotonic()
    with pytest.raises(Stopped), way():  # noqa: PT012  the object ends inside
        _Ending()
        while time.monotonic() < began + 10:
            time.sleep(0.01)
    assert time.monotonic() < began + 5
    assert capsys.readouterr().err == ""
    assert sys.unraisablehook is hook


@pytest.mark.parametrize("raised", [ValueError("wrong"), SystemExit(2)])
def test_without_a_signal_errors_are_errors(raised):
    with pytest.raises(type(raised)), stoppable():
        raise raised


def test_a_line_that_was_printed_is_the_last():
    """Whoever has said how it goes on ends with the status itself."""
    with pytest.raises(SystemExit) as ended, stoppable():  # noqa: PT012  a signal comes inside
        try:
            send(signal.SIGTERM)
        except Stopped as stop:
            raise SystemExit(stop.status) from stop
    assert ended.value.code == 143


def test_how_it_goes_on_is_what_is_said_first():
    with pytest.raises(Stopped) as stopped, going_on("outer"), going_on("inner"), stoppable():
        send(signal.SIGINT)
    assert stopped.value.how == "inner"


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            send(signal.SIGHUP)
        with stopping_later() as later:
            send(signal.SIGHUP)
        assert later.number is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_sent_twice_is_one_request():
    """As `timeout` sends it to a process and then to its group: what is being tidied up goes on."""
    tidied = []
    with pytest.raises(Stopped), stoppable():  # noqa: PT012  a signal comes inside
        try:
            send(signal.SIGTERM)
        finally:
            send(signal.SIGTERM)
            tidied.append("up")
    assert tidied == ["up"]


def test_later_means_at_a_good_moment():
    with stopping_later() as later:
        later.waits = True
        heard = []
        later.tell(heard.append)
        send(signal.SIGTERM)
        assert (later.number, heard) == (signal.SIGTERM, [signal.SIGTERM])
    # It has ended as it should.


def test_later_is_at_once_where_nothing_waits():
    with pytest.raises(Stopped), stopping_later():
        send(signal.SIGTERM)


@pytest.mark.parametrize("error", [RuntimeError(), SystemExit(), KeyboardInterrupt()])
def test_the_end_of_a_library_s_own_is_a_stop(error):
    with pytest.raises(Stopped) as stopped, stopping_later() as later:  # noqa: PT012  a signal comes inside
        later.waits = True
        send(signal.SIGHUP)
        raise error
    assert stopped.value.status == 129


@pytest.mark.usefixtures("_brief")
@pytest.mark.parametrize(("held", "least"), [(False, 0.05), (True, 0.3)])
def test_later_is_not_for_ever(held, least):
    begun = time.monotonic()
    with pytest.raises(Stopped), stopping_later() as later:  # noqa: PT012  a signal comes inside
        later.waits, later.held = True, held
        send(signal.SIGTERM)
        time.sleep(20)
    assert least <= time.monotonic() - begun < 10


@pytest.mark.usefixtures("_brief")
def test_a_second_request_does_not_wait_but_for_what_is_held():
    with pytest.raises(Stopped), stopping_later() as later:  # noqa: PT012  a signal comes inside
        later.waits = later.held = True
        send(signal.SIGTERM)
        send(signal.SIGTERM)
        later.held = False
        later.calm()  # a checkpoint is being written
        time.sleep(0.2)
        send(signal.SIGTERM)


@pytest.mark.usefixtures("_brief")
def test_events():
    with asking(StopEvent()) as stop:
        send(signal.SIGHUP)
        assert (stop.is_set(), stop.number, stop.urgent.is_set()) == (True, signal.SIGHUP, False)
        send(signal.SIGINT)
        assert (stop.number, stop.urgent.is_set()) == (signal.SIGHUP, True)


def test_a_fork_leaves_it_to_its_owner():
    with stoppable():
        child = os.fork()
        if child == 0:
            send(signal.SIGTERM)
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_command_that_is_killed_says_so_in_one_line():
    """A process of its own, in the middle of its imports or of its work."""
    code = (
        "import os, signal, sys\nfrom videogn.cli import main as door\n"
        "door.importlib.import_module = lambda name: os.kill(os.getpid(), signal.SIGTERM)\ndoor.main(['models'])"
    ).replace("from videogn.cli import main as door", "import videogn.cli.main\ndoor = sys.modules['videogn.cli.main']")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (143, "")
    assert done.stderr.splitlines() == ["videogn: error: interrupted: the same command begins anew"]
