import shutil
import subprocess

import pytest

from bionet.studies.run.provenance import commit

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def repository(tmp_path):
    """A repository with a study in a folder of it, and one commit."""
    root = tmp_path / "repository"
    (root / "study").mkdir(parents=True)
    (root / "code.py").write_text("x = 1\n")
    (root / "study" / "results.jsonl").write_text("")
    who = ["-c", "user.name=x", "-c", "user.email=x"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    return root


def test_a_result_names_the_commit_and_whether_the_code_differs_from_it(repository):
    head = commit(repository / "study")
    assert head is not None
    assert len(head) == 40
    (repository / "study" / "results.jsonl").write_text("{}\n")
    (repository / "new.py").write_text("")
    assert commit(repository / "study") == head  # its own results, and files git does not know
    (repository / "code.py").write_text("x = 2\n")
    assert commit(repository / "study") == f"{head}+"


def test_outside_of_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    assert commit(tmp_path / "nowhere") is None
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert commit(tmp_path) is None
