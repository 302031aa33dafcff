import contextlib
import json
import resource

import pytest

from bionet.studies.run.store import Lines, read_results


def line(number, study="mine", **more):
    named = {"study": study, "arm": "a", "seed": number, "trial": f"{number:016x}"}
    return named | {"stage": "final", "metrics": {"accuracy": 0.5}} | more


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.jsonl"


def test_lines_come_back_as_they_were_written(path):
    assert read_results(path).lines == []
    with Lines(path) as lines:
        lines.append(line(1, note="größer"))
        assert len(read_results(path).lines) == 1  # on the disk at once
        lines.append(line(2, metrics={"loss": float("nan"), "curve": [float("inf"), 1.0]}))
    first, second = read_results(path, "mine").lines
    assert first == line(1, note="größer")
    assert second["metrics"] == {"loss": None, "curve": [None, 1.0]}
    assert path.read_bytes().count(b"\n") == 2


def test_a_line_that_was_cut_off_anywhere_is_removed_or_completed(path):
    with Lines(path) as lines:
        lines.append(line(1))
        before = path.stat().st_size
        lines.append(line(2))
    whole = path.read_bytes()
    for end in range(before, len(whole) + 1):
        path.write_bytes(whole[:end])
        with Lines(path) as lines:
            finished = end >= len(whole) - 1
            assert bool(lines.mended) == (before < end < len(whole) - 1)
            assert [each["seed"] for each in read_results(path).lines] == [1, 2][: 1 + finished]
            lines.append(line(3))
        read = read_results(path)
        assert [each["seed"] for each in read.lines] == [1, 2, 3] if finished else [1, 3]
        assert read.corrupted == []
    path.write_bytes(whole[:-9])
    with Lines(path) as lines:
        assert "ended in half a line" in lines.mended
        assert str(path) in lines.mended


def test_corrupted_lines_are_named_skipped_and_counted(path):
    good = [json.dumps(line(number)) for number in (1, 2)]
    bad = ["{half", "[1]", json.dumps(line(3) | {"seed": "x"}), json.dumps({"study": "mine"})]
    path.write_text("\n".join([good[0], *bad, good[0], "", good[1]]) + "\n")
    read = read_results(path, "mine")
    assert [each["seed"] for each in read.lines] == [1, 2]
    assert read.corrupted == [
        "line 2 of results.jsonl is no JSON",
        "line 3 of results.jsonl is no JSON object",
        "line 4 of results.jsonl has no 'seed' of type int",
        "line 5 of results.jsonl has no 'arm' of type str",
        "line 6 of results.jsonl repeats the trial of line 1",
    ]
    assert read.told().startswith("5 lines were skipped: line 2 of results.jsonl is no JSON; ")
    path.write_bytes(b"\xff\xfe\n" + good[1].encode() + b"\n")
    assert read_results(path).told() == "1 line was skipped: line 1 of results.jsonl is no JSON."


def test_a_line_whose_configuration_is_something_else_is_named_too(path):
    odd = [line(1, config=3), line(2, stage="tuning", config={}), line(3, curve=0.5)]
    path.write_text("".join(json.dumps(each) + "\n" for each in odd))
    assert read_results(path).corrupted == [
        "line 1 of results.jsonl has no 'config' of type dict",
        "line 2 of results.jsonl has no 'metric' of type str",
        "line 3 of results.jsonl has no 'curve' of type list",
    ]


def test_results_of_another_study_are_refused_with_both_names(path):
    with Lines(path) as lines:
        lines.append(line(1, study="theirs"))
    with pytest.raises(ValueError, match="results of the study 'theirs', and this study is 'mine'"):
        read_results(path, "mine")


def test_two_processes_do_not_write_one_file(path):
    with (
        Lines(path),
        pytest.raises(OSError, match=f"Another process is writing '{path}'"),
        Lines(path),
    ):
        pass
    with Lines(path) as lines:  # the lock is gone
        lines.append(line(1))


@contextlib.contextmanager
def largest_file(size):
    """Files cannot grow beyond a size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_no_half_line(path):
    with Lines(path) as lines:
        lines.append(line(1))
        size = path.stat().st_size
        with largest_file(size + 40), pytest.raises(OSError, match="could not be written") as full:
            lines.append(line(2))
        assert "Make room, and start the study again" in str(full.value)
        assert str(path) in str(full.value)
        assert path.stat().st_size == size
        lines.append(line(3))
    assert [each["seed"] for each in read_results(path).lines] == [1, 3]
