"""Signals that come while the main thread waits in native code; in a process of its own, which they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from videogn.system.blocked import ending_although_blocked
from videogn.system.stopping import Stopped, stoppable

#: A lock that is taken twice: no signal lets this call return.
CODE = """
import ctypes, os, sys, threading
from videogn.system.blocked import ending_although_blocked
from videogn.system.stopping import stoppable

def end(number):
    print("ended by", number, flush=True)
    return 128 + number

with stoppable(), ending_although_blocked(end, patience=0.1):
    threading.Timer(0.2, os.kill, (os.getpid(), int(sys.argv[1]))).start()
    library, lock = ctypes.CDLL(None), ctypes.create_string_buffer(256)
    library.pthread_mutex_lock(lock)
    library.pthread_mutex_lock(lock)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a lock of another size")
def test_a_wait_in_native_code_ends():
    command = [sys.executable, "-c", CODE, str(int(signal.SIGTERM))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (143, f"ended by {int(signal.SIGTERM)}\n"), done.stderr


def test_handlers_come_first():
    ended = []
    with pytest.raises(Stopped), stoppable(), ending_although_blocked(ended.append, patience=5):  # noqa: PT012
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        time.sleep(10)
    time.sleep(0.05)
    assert not ended
    assert signal.set_wakeup_fd(-1) == -1
    assert not [each for each in threading.enumerate() if each.name.endswith("(watch)")]
