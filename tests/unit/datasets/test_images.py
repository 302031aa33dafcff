"""The image sets are the published ones, scaled, flattened and divided as documented."""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bionet.datasets import DataError, Splits, digits, fashion_mnist, images, load, mnist


def fingerprint(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def check_range(splits: Splits, features: int) -> None:
    for part in (splits.train, splits.validation, splits.test):
        assert part is not None
        assert part.x.shape == (len(part), features)
        assert part.x.dtype == np.float32
        assert part.x.min() == 0
        assert part.x.max() == 1
        assert set(np.unique(part.y)) == set(range(10))


def test_digits_are_divided_once_for_all() -> None:
    splits = digits()
    assert (splits.name, splits.num_classes) == ("digits", 10)
    assert splits.validation is not None
    assert [len(p) for p in (splits.train, splits.validation, splits.test)] == [1200, 237, 360]
    check_range(splits, 64)
    assert fingerprint(splits.test.y) == "1d2ab4f57905b768"
    assert fingerprint(splits.validation.y) == "21e24491270eb2cc"


def test_the_parts_of_digits_share_no_sample() -> None:
    from sklearn.datasets import load_digits

    splits = digits()
    assert splits.validation is not None
    rows = np.concatenate([splits.train.x, splits.validation.x, splits.test.x])
    expected = (load_digits().data / 16).astype(np.float32)
    order, reference = (np.lexsort(a.T) for a in (rows, expected))
    np.testing.assert_array_equal(rows[order], expected[reference])


def test_digits_without_validation_keep_their_test_split() -> None:
    splits, default = digits(validation=0), digits()
    assert splits.validation is None
    assert len(splits.train) == 1437
    np.testing.assert_array_equal(splits.test.x, default.test.x)


@pytest.mark.parametrize(
    ("validation", "kind", "sentence"),
    [
        (
            1437,
            ValueError,
            "validation must be 0 to 1436, since 1437 training samples are there to take it "
            "from, got 1437.",
        ),
        (
            -1,
            ValueError,
            "validation must be 0 to 1436, since 1437 training samples are there to take it "
            "from, got -1.",
        ),
        (0.2, TypeError, "validation must be a whole number, got 0.2."),
    ],
)
def test_digits_refuse(validation: Any, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind, match=f"^{re.escape(sentence)}$"):
        digits(validation=validation)


def test_digits_without_scikit_learn_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    sentence = (
        "The digits come with scikit-learn, which is not installed. "
        "Run `pip install 'bionet[data]'`."
    )
    with pytest.raises(ModuleNotFoundError, match=f"^{re.escape(sentence)}$"):
        digits()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_files(name: str, real_data: Path) -> None:
    splits = load(name, download=False)
    assert (splits.name, splits.num_classes) == (name, 10)
    assert splits.validation is not None
    sizes = [len(p) for p in (splits.train, splits.validation, splits.test)]
    assert sizes == [50_000, 10_000, 10_000]
    check_range(splits, 784)
    labels = np.concatenate([splits.train.y, splits.validation.y])
    raw = (real_data / name.replace("-", "_") / "train-labels-idx1-ubyte.gz").read_bytes()
    np.testing.assert_array_equal(labels, np.frombuffer(gzip.decompress(raw)[8:], np.uint8))


def test_a_final_run_has_all_training_images(real_data: Path) -> None:
    splits = mnist(validation=0, download=False)
    assert splits.validation is None
    assert len(splits.train) == 60_000
    assert np.bincount(splits.test.y).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009
    ]  # fmt: skip
    assert splits.train.y[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda raw: raw[:-100], "is truncated: its gzip data ends too early."),
        (
            lambda raw: gzip.compress(gzip.decompress(raw)[:-1] + b"\x09"),
            "has been altered, or is another data set: the sha256 of its uncompressed content "
            "starts with",
        ),
        (lambda _: b"PK\x03\x04", "is not an IDX file: it starts with the bytes '50 4b 03 04'."),
    ],
    ids=["truncated", "altered", "foreign"],
)
def test_a_bad_copy_of_a_real_file(
    real_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[bytes], bytes],
    complaint: str,
) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    for file in (real_data / "mnist").glob("train-*.gz"):
        shutil.copyfile(file, folder / file.name)
    bad = folder / "train-labels-idx1-ubyte.gz"
    bad.write_bytes(damage(bad.read_bytes()))
    monkeypatch.setenv("BIONET_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"^{re.escape(f'{bad} {complaint}')}"):
        mnist(download=False)


def test_fashion_in_place_of_mnist_is_noticed(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mnist").symlink_to(real_data / "fashion_mnist")
    monkeypatch.setenv("BIONET_DATA", str(tmp_path))
    with pytest.raises(DataError, match="has been altered, or is another data set"):
        mnist(download=False)


@pytest.fixture
def small(
    monkeypatch: pytest.MonkeyPatch,
    mirror: tuple[str, Path],
    cache: Path,
    idx_bytes: Callable[[np.ndarray], bytes],
) -> str:
    """A mirror of a small forged data set under the names of MNIST: its address."""
    url, shown = mirror
    arrays = {
        "train-images-idx3-ubyte": np.full((5, 28, 28), 51) * np.arange(1, 6).reshape(5, 1, 1),
        "train-labels-idx1-ubyte": np.arange(5),
        "t10k-images-idx3-ubyte": np.zeros((2, 28, 28)),
        "t10k-labels-idx1-ubyte": np.array([9, 0]),
    }
    sums = {}
    for name, array in arrays.items():
        (shown / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
        sums[name] = hashlib.sha256(idx_bytes(array)).hexdigest()
    for kind in ("MNIST", "FASHION_MNIST"):
        whole = getattr(images, kind)
        monkeypatch.setattr(images, kind, type(whole)(whole.title, whole.folder, url, sums))
    return url


@pytest.mark.parametrize("loader", [mnist, fashion_mnist])
def test_files_are_downloaded_scaled_and_cut_at_the_end(
    loader: Callable[..., Splits], small: str
) -> None:
    splits = loader(validation=2, base_url=small)
    assert splits.validation is not None
    np.testing.assert_allclose(splits.train.x[:, 0], [0.2, 0.4, 0.6], rtol=1e-6)
    np.testing.assert_allclose(splits.validation.x[:, 783], [0.8, 1.0], rtol=1e-6)
    assert splits.train.y.tolist() == [0, 1, 2]
    assert splits.validation.y.tolist() == [3, 4]
    assert splits.test.y.tolist() == [9, 0]


def test_a_validation_split_that_takes_all(small: str) -> None:
    sentence = (
        "validation must be 0 to 4, since 5 training samples are there to take it from, got 10000."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        mnist(base_url=small)
