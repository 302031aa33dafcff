import errno

import pytest

from bionet._core.files import (
    check_writable,
    entries,
    make_writable,
    own_path,
    write_whole,
    write_with,
)


def test_a_file_is_written_with_its_folders(tmp_path):
    path = write_whole(tmp_path / "a" / "b.txt", "ä")
    assert path.read_text("utf-8") == "ä"
    assert write_whole(path, b"new").read_bytes() == b"new"
    assert [each.name for each in path.parent.iterdir()] == ["b.txt"]


def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path):
    path = write_whole(tmp_path / "b.svg", "old")

    def put(temporary):
        temporary.write_text("ha")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left on device") as full:
        write_with(path, put)
    assert full.value.filename == str(path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["b.svg"]


def test_an_error_names_the_file_that_was_asked_for(tmp_path):
    (tmp_path / "b.svg").mkdir()
    with pytest.raises(OSError, match="directory") as refused:
        write_whole(tmp_path / "b.svg", "new")
    assert refused.value.filename == str(tmp_path / "b.svg")
    assert "." + "b" not in str(refused.value)


def test_what_has_no_number_is_raised_as_it_is(tmp_path):
    def put(temporary):
        raise OSError("the server hung up")

    with pytest.raises(OSError, match="^the server hung up$") as gone:
        write_with(tmp_path / "b", put)
    assert gone.value.filename is None


def test_what_only_a_system_leaves_is_no_entry(tmp_path):
    for name in (".DS_Store", "THUMBS.DB", "._data", ".gitkeep"):
        (tmp_path / name).touch()
    assert entries(tmp_path) == []
    (tmp_path / ".hidden").touch()
    (tmp_path / "1").mkdir()
    assert [path.name for path in entries(tmp_path)] == [".hidden", "1"]


def test_a_directory_that_can_not_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        make_writable(tmp_path / "file" / "run")


def test_a_place_that_takes_no_file_is_told_before_anything_is_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    assert check_writable(tmp_path / "new" / "deep" / "a.png").name == "a.png"
    assert not (tmp_path / "new").exists()
    with pytest.raises(ValueError, match="is a directory. Give the path of a file in it"):
        check_writable(tmp_path)
    with pytest.raises(ValueError, match="file' is no directory"):
        check_writable(tmp_path / "file" / "deep" / "a.png")
    monkeypatch.setattr("os.access", lambda *_: False)  # whoever runs the tests may be root
    with pytest.raises(ValueError, match="takes no new files. Check its rights"):
        check_writable(tmp_path / "a.png")


def test_a_tilde_is_the_home_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert own_path("~/a") == tmp_path / "a"
    with pytest.raises(ValueError, match="begins with a home that is not there"):
        own_path("~nobody-of-that-name/a")


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert write_whole("~/a/text.txt", "here") == tmp_path / "a" / "text.txt"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
