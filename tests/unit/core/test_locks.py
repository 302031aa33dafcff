"""A lock is held by one, ends with its process, and leaves no file that stands in the way."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from bionet._core import locks
from bionet._core.locks import FileLock

HOLD = """
import sys
from bionet._core.locks import FileLock
with FileLock(sys.argv[1], "busy", temporary=True):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=[True, False], ids=["flock", "no fcntl"])
def either(request, monkeypatch):
    """With `fcntl` and, as on Windows, without."""
    if not request.param:
        monkeypatch.setattr(locks, "fcntl", None)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("temporary", [True, False])
def test_the_second_one_is_told_and_the_next_one_has_it(tmp_path, temporary):
    path = tmp_path / "a" / "file"
    for _ in range(2):
        with FileLock(path, "Taken.", temporary=temporary):
            second = FileLock(path, "Taken.", temporary=temporary)
            with pytest.raises(OSError, match=r"^Taken\."), second:
                pass
        left = [entry.name for entry in path.parent.iterdir()]
        assert left in ([], ["file"])
        assert not (temporary and left)


@pytest.mark.usefixtures("either")
def test_of_many_at_once_one_has_it(tmp_path):
    start, had = threading.Barrier(8), []

    def claim():
        start.wait()
        try:
            with FileLock(tmp_path / "lock", "Taken.", temporary=True):
                had.append(True)
                done.wait(10)
        except OSError:
            refused.append(True)
            if len(refused) == 7:
                done.set()

    done, refused = threading.Event(), []
    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(had), len(refused)) == (1, 7)


def test_a_process_that_is_killed_leaves_no_lock(tmp_path):
    path = tmp_path / "lock"
    words = [sys.executable, "-c", HOLD, str(path)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(OSError, match="Taken"), FileLock(path, "Taken.", temporary=True):
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert path.exists()  # what is left is a file, and no lock
    with FileLock(path, "Taken.", temporary=True):
        pass
    assert not path.exists()


def test_a_file_that_its_holder_has_just_removed_is_made_again(tmp_path, monkeypatch):
    path, real = tmp_path / "lock", locks.fcntl.flock
    removed = []

    def flock(file, flags):
        real(file, flags)
        if not removed:  # as if another had held it until now
            removed.append(path.unlink())

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with FileLock(path, "Taken.", temporary=True):
        assert path.exists()


def test_a_disk_without_locks_is_not_called_busy(tmp_path, monkeypatch):
    def flock(file, flags):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    lock = FileLock(tmp_path / "lock", "Taken.")
    with pytest.raises(OSError, match=r"cannot be locked \(Operation not supported\)"), lock:
        pass


def test_what_needs_locks_is_imported_where_there_is_no_fcntl(tmp_path):
    script = (
        "import sys; sys.modules['fcntl'] = None\n"
        "import bionet.studies.run.store as store, bionet.cli.run\n"
        "with store.Lines('results.jsonl') as lines:\n"
        "    lines.append({'a': 1})\n"
        "    try:\n"
        "        store.Lines('results.jsonl').__enter__()\n"
        "    except OSError as error:\n"
        "        print(error)\n"
    )
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == (
        "Another process is writing 'results.jsonl'. Wait for it, or end it first. If there is "
        "none, delete the file '.results.jsonl.lock'.\n"
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.jsonl"]
