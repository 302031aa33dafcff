"""Small images of ten classes: digits, MNIST and Fashion-MNIST.

Each loader returns `Splits` of flattened images with pixels from 0 to 1. What is held
out never depends on the seed of a training: MNIST and Fashion-MNIST keep their official
10,000 test images, and digits, which has no official split, is divided once by a fixed
seed. Validation samples are always taken out of the training part.

Floors that a method must beat to have shown anything, as test accuracy on MNIST and on
Fashion-MNIST: linear ridge regression 86 and 81 %, a ridge readout of 2,000 frozen random
ReLU units 95.7 and 86.2 %.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bionet.datasets.sources import Source, load_idx
from bionet.datasets.splits import Split, Splits, holdout, whole_number

MNIST = Source(
    title="MNIST",
    folder="mnist",
    base_url="https://storage.googleapis.com/cvdf-datasets/mnist/",
    sha256={
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    },
)

FASHION_MNIST = Source(
    title="Fashion-MNIST",
    folder="fashion_mnist",
    base_url=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
        "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/"
    ),
    sha256={
        "train-images-idx3-ubyte": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    },
)

# Of the 1,797 digits, 360 (20 %) are for testing, whatever is trained and with what seed.
_DIGITS_TEST = 360
_DIGITS_TEST_SEED = 1797
_DIGITS_VALIDATION_SEED = 1798


def digits(*, validation: int = 237) -> Splits:
    """The 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn.

    360 of them, 20 %, are the test split, and with the default 237 are for validation
    and 1,200 for training. scikit-learn does not say who wrote which digit, so the same
    hands write in all parts, and accuracies are higher than for unseen writers.

    Args:
        validation: How many samples to take out of the training part; 0 for none.

    Returns:
        Images of 64 features from 0 to 1, ten classes.

    Raises:
        ModuleNotFoundError: scikit-learn, of the extra `data`, is not installed.
        TypeError: A validation split that is no whole number, such as a share of 0.2.
        ValueError: A validation split that leaves no sample to train on.

    References:
        E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI
        Machine Learning Repository, 1998.

    Example:
        >>> digits().train
        Split(1200 samples of shape (64,))
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "The digits come with scikit-learn, which is not installed. "
            "Run `pip install 'bionet[data]'`.",
            name="sklearn",
        ) from error
    images, labels = load_digits(return_X_y=True)
    everything = Split(images / 16, labels)  # Pixels count from 0 to 16.
    rest, test = holdout(everything, _DIGITS_TEST, seed=_DIGITS_TEST_SEED)
    train, held = rest, None
    if _check(validation, len(rest)) > 0:
        train, held = holdout(rest, validation, seed=_DIGITS_VALIDATION_SEED)
    return Splits(train, held, test, name="digits", num_classes=10)


def mnist(
    *, validation: int = 10_000, download: bool = True, base_url: str | None = None
) -> Splits:
    """The 70,000 handwritten digits of MNIST, 28 x 28 pixels, with the official test split.

    The files are taken from `$BIONET_DATA/mnist/` or the user's cache, or downloaded
    (11 MB) into the cache; their contents are checked each time.

    Args:
        validation: How many images, the last ones, to take out of the 60,000 training
            images. With 0, for a final run, all are trained on and `validation` is None.
        download: Whether files that are absent are downloaded.
        base_url: The folder to download from, for a mirror of your own.

    Returns:
        Images of 784 features from 0 to 1, ten classes.

    Raises:
        DataError: A file is truncated, altered or foreign, or absent and not to be had.
        ModuleNotFoundError: A file is absent, and pooch, which downloads, is not installed.
        TypeError: A validation split that is no whole number, such as a share of 0.2.
        ValueError: A validation split that leaves no image to train on, or a
            `BIONET_DATA` that names no folder.

    References:
        Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to
        document recognition", Proceedings of the IEEE 86, 1998.

    Example:
        >>> mnist().train  # doctest: +SKIP
        Split(50000 samples of shape (784,))
    """
    return _from_files(MNIST, "mnist", validation, download, base_url)


def fashion_mnist(
    *, validation: int = 10_000, download: bool = True, base_url: str | None = None
) -> Splits:
    """The 70,000 pictures of clothes of Fashion-MNIST, 28 x 28 pixels, official test split.

    The classes are T-shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag
    and ankle boot, 0 to 9. The files are taken from `$BIONET_DATA/fashion_mnist/` or the
    user's cache, or downloaded (31 MB) into the cache; their contents are checked each time.

    Args:
        validation: As in `mnist`.
        download: As in `mnist`.
        base_url: As in `mnist`.

    Returns:
        Images of 784 features from 0 to 1, ten classes.

    Raises:
        DataError: As in `mnist`.
        ModuleNotFoundError: As in `mnist`.
        TypeError: As in `mnist`.
        ValueError: As in `mnist`.

    References:
        H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for
        Benchmarking Machine Learning Algorithms", [xiao2017fashion], 2017.

    Example:
        >>> fashion_mnist(validation=0).train  # doctest: +SKIP
        Split(60000 samples of shape (784,))
    """
    return _from_files(FASHION_MNIST, "fashion-mnist", validation, download, base_url)


def _from_files(
    source: Source, name: str, validation: int, download: bool, base_url: str | None
) -> Splits:
    def part(prefix: str) -> tuple[np.ndarray, np.ndarray]:
        images, labels = (
            load_idx(source, f"{prefix}-{kind}", download=download, base_url=base_url)
            for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
        )
        pixels = np.divide(images.reshape(len(images), -1), 255, dtype=np.float32)
        pixels.flags.writeable = False  # So that no split copies its share.
        return pixels, labels

    images, labels = part("train")
    kept = len(images) - _check(validation, len(images))
    train = Split(images[:kept], labels[:kept])
    held = Split(images[kept:], labels[kept:]) if validation > 0 else None
    return Splits(train, held, Split(*part("t10k")), name=name, num_classes=10)


def _check(validation: Any, available: int) -> int:
    count = whole_number("validation", validation)
    if not 0 <= count < available:
        raise ValueError(
            f"validation must be 0 to {available - 1}, since {available} training samples "
            f"are there to take it from, got {count}."
        )
    return count
