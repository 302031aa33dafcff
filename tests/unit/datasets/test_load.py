"""Data sets by name: what is there, what is near, and what is not imported."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bionet import datasets


def test_a_name_loads_what_its_function_loads() -> None:
    by_name, directly = datasets.load("digits", validation=100), datasets.digits(validation=100)
    assert by_name.validation is not None
    assert len(by_name.validation) == 100
    assert (by_name.train.x == directly.train.x).all()


def test_the_names() -> None:
    assert datasets.NAMES == ("digits", "mnist", "fashion-mnist")
    assert set(datasets.__all__) <= set(dir(datasets))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("fashion_mnist", "No data set is named 'fashion_mnist'. Did you mean 'fashion-mnist'"),
        ("digit", "No data set is named 'digit'. Did you mean 'digits'?"),
        ("cifar", "No data set is named 'cifar'. There are: digits, fashion-mnist, mnist."),
    ],
)
def test_an_unknown_name(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        datasets.load(name)


def test_an_unknown_option() -> None:
    sentence = "No option of 'mnist' is named 'validaton'. Did you mean 'validation'?"
    with pytest.raises(TypeError, match=f"^{re.escape(sentence)}$"):
        datasets.load("mnist", validaton=0)


def test_available_with_files(real_data: Path) -> None:
    assert datasets.available() == {
        "digits": "in scikit-learn",
        "mnist": str(real_data / "mnist"),
        "fashion-mnist": str(real_data / "fashion_mnist"),
    }


def test_available_without_anything(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert datasets.available() == {
        "digits": "missing: comes with scikit-learn; run `pip install 'bionet[data]'`",
        "mnist": f"missing: not in {cache / 'mnist'}; `load` downloads it, or set BIONET_DATA",
        "fashion-mnist": (
            f"missing: not in {cache / 'fashion_mnist'}; `load` downloads it, or set BIONET_DATA"
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
