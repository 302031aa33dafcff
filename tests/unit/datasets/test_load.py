"""Data sets by name: what is there, what is near, and what is not imported."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bionet import datasets
from bionet.datasets import text
from bionet.datasets.images import FASHION_MNIST, MNIST
from bionet.datasets.sources import VARIABLE, Source
from bionet.datasets.speech import FSDD


def test_a_name_loads_what_its_function_loads() -> None:
    by_name, directly = datasets.load("digits", validation=100), datasets.digits(validation=100)
    assert by_name.validation is not None
    assert len(by_name.validation) == 100
    assert (by_name.train.x == directly.train.x).all()


def test_the_names() -> None:
    assert datasets.NAMES == ("digits", "mnist", "fashion-mnist", "fsdd", "tinyshakespeare")
    assert set(datasets.__all__) <= set(dir(datasets))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("fashion_mnist", "No data set is named 'fashion_mnist'. Did you mean 'fashion-mnist'"),
        ("digit", "No data set is named 'digit'. Did you mean 'digits'?"),
        ("cifar", "No data set is named 'cifar'. There are: digits, fashion-mnist, fsdd, mnist, t"),
    ],
)
def test_an_unknown_name(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        datasets.load(name)


def test_an_unknown_option() -> None:
    sentence = "No option of 'mnist' is named 'validaton'. Did you mean 'validation'?"
    with pytest.raises(TypeError, match=f"^{re.escape(sentence)}$"):
        datasets.load("mnist", validaton=0)


def forged(source: Source, root: Path, content: bytes = b"") -> str:
    """Puts files of a source into its folder, and returns the folder."""
    folder = root / source.folder
    folder.mkdir()
    for file in source.sha256:
        (folder / file).write_bytes(content)
    return str(folder)


def test_available_with_files(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    files = {
        "mnist": forged(MNIST, tmp_path),
        "fashion-mnist": forged(FASHION_MNIST, tmp_path),
        "fsdd": forged(FSDD, tmp_path),
        "tinyshakespeare": forged(text.TINYSHAKESPEARE, tmp_path),
    }
    assert datasets.available() == {"digits": "in scikit-learn", **files}


def test_text_comes_by_name_and_as_parts(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = b"To be, or not to be: " * 10
    sha256 = {"input.txt": hashlib.sha256(play).hexdigest()}
    source = dataclasses.replace(text.TINYSHAKESPEARE, sha256=sha256)
    monkeypatch.setattr(text, "TINYSHAKESPEARE", source)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    forged(source, tmp_path, play)
    parts = datasets.load("tinyshakespeare", window=9, validation=30)
    assert isinstance(parts, datasets.Parts)
    assert (parts.train.x[:, 1:] == parts.train.y[:, :-1]).all()
    assert "".join(text.LETTERS[i] for i in parts.train.x[0]) == "To be, or"


def test_spoken_digits_are_asked_for_by_name(cache: Path) -> None:
    with pytest.raises(datasets.DataMissingError, match="The Free Spoken Digit Dataset needs the"):
        datasets.load("fsdd", download=False)


@pytest.mark.slow
def test_spoken_digits_come_by_name(real_data: Path) -> None:
    if not (real_data / "fsdd").is_dir():
        pytest.skip(f"needs the spoken digits under {VARIABLE}")
    splits = datasets.load("fsdd", steps=3, bands=1, download=False)
    assert isinstance(splits, datasets.Splits)
    assert (len(splits.test), splits.num_classes) == (300, 10)


def test_available_without_anything(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert datasets.available() == {
        "digits": "missing: comes with scikit-learn; run `pip install 'bionet[data]'`",
        "mnist": f"missing: not in {cache / 'mnist'}; `load` downloads it, or set BIONET_DATA",
        "fashion-mnist": (
            f"missing: not in {cache / 'fashion_mnist'}; `load` downloads it, or set BIONET_DATA"
        ),
        "fsdd": f"missing: not in {cache / 'fsdd'}; `load` downloads it, or set BIONET_DATA",
        "tinyshakespeare": (
            f"missing: not in {cache / 'tinyshakespeare'}; `load` downloads it, or set BIONET_DATA"
        ),
    }
    assert not cache.exists()


def test_importing_data_sets_is_light() -> None:
    program = (
        "import sys, bionet.datasets; "
        "print([n for n in ('jax', 'sklearn', 'pooch', 'matplotlib', 'scipy') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
