"""Contents of values as lines: the same in every process, and another one for another value."""

import functools
import os
import subprocess
import sys
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet._core.contents import condense, contents, digest

PROGRAM = """
import optax, jax.numpy as jnp
from bionet._core.contents import contents, digest
rate = optax.cosine_decay_schedule(0.1, 100)
chain = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate))
words = {"words": {"a", "b", "c", "d"}, "word": "a" in {"a", "b"}, "chain": chain}
print(digest(contents((words, lambda x: x in {"p", "q", "r"}, jnp.arange(3)))))
"""


@pytest.mark.slow
def test_another_process_finds_the_same():
    """Neither addresses nor the order of sets are in it."""
    found = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.add(done.stdout)
    assert len(found) == 1


def scaled(rate):
    return lambda x: rate * x


def other(rate):
    return lambda x: rate + x


@dataclass
class Settings:
    rate: float = 0.1

    @functools.cached_property
    def half(self):
        return self.rate / 2


class Slotted:
    __slots__ = ("rate",)

    def __init__(self, rate):
        self.rate = rate

    def scale(self, x):
        return self.rate * x


def default(x, rate=0.1, *, keyword=0.2):
    return x


def changed_default(rate):
    return functools.wraps(default)(lambda x, rate=rate, *, keyword=0.2: x)


SAME = {
    "numbers": lambda: {"a": 1, "b": 0.1, "c": None, "d": True, "e": "word"},
    "arrays": lambda: (jnp.arange(3), np.ones((2, 2)), jnp.asarray(1.0), jnp.ones(2, jnp.bfloat16)),
    "keys": lambda: jax.random.key(3),
    "a closure": lambda: scaled(0.1),
    "a partial": lambda: functools.partial(scaled, 0.1),
    "a bound method": lambda: Slotted(0.1).scale,
    "an object": lambda: Settings(0.1),
    "jit": lambda: jax.jit(scaled(0.1)),
    "a cache": lambda: functools.lru_cache(scaled(0.1)),
    "a network": lambda: eqx.nn.MLP(2, 1, 4, 1, key=jax.random.key(0)),
    "an optimiser": lambda: optax.adam(optax.cosine_decay_schedule(0.1, 100)),
}
OTHER = {
    "a number": (0.1, 0.2),
    "a type": (1, "1"),
    "a word": ("a", "b"),
    "dtype": (jnp.ones(2), jnp.ones(2, jnp.bfloat16)),
    "shape": (jnp.ones(2), jnp.ones((2, 1))),
    "one bit": (jnp.asarray([1.0, 0.0]), jnp.asarray([1.0, -0.0])),
    "generator": (jax.random.key(3, impl="rbg"), jax.random.key(3, impl="unsafe_rbg")),
    "closed over": (scaled(0.1), scaled(0.2)),
    "code": (scaled(0.1), other(0.1)),
    "a default": (changed_default(0.1), changed_default(0.2)),
    "under jit": (jax.jit(scaled(0.1)), jax.jit(scaled(0.2))),
    "in a partial": (functools.partial(scaled, 0.1), functools.partial(scaled, 0.2)),
    "of a method's object": (Slotted(0.1).scale, Slotted(0.2).scale),
    "a field": (Settings(0.1), Settings(0.2)),
    "activation": (jax.nn.relu, jax.nn.gelu),
    "constant rate": (optax.sgd(0.1), optax.sgd(0.2)),
    "momentum": (optax.sgd(0.1, momentum=0.9), optax.sgd(0.1, momentum=0.8)),
    "length of a schedule": tuple(
        optax.adam(optax.cosine_decay_schedule(0.1, steps)) for steps in (100, 200)
    ),
    "order": ([1, 2], [2, 1]),
    "long containers": (list(range(200)), [*range(199), 200]),
}


@pytest.mark.parametrize("make", SAME.values(), ids=SAME)
def test_the_same_made_twice_has_the_same_lines(make):
    assert contents(make()) == contents(make()) != {}


@pytest.mark.parametrize(("one", "another"), OTHER.values(), ids=OTHER)
def test_another_value_has_other_lines(one, another):
    assert contents(one) != contents(another)


def test_names_lead_to_the_number():
    lines = contents({"optimizer": optax.chain(optax.scale_by_adam(), optax.scale(-0.5))})
    assert [name for name, text in lines.items() if text == "-0.5"] == [
        "optimizer.update.update_fns[1].tx.update.step_size"
    ]


def test_what_is_only_cached_does_not_count():
    fresh, used = Settings(), Settings()
    assert used.half == 0.05
    assert contents(fresh) == contents(used)


def test_an_object_in_itself_ends():
    loop = [1]
    loop.append(loop)
    assert contents(loop) == {"[0]": "1", "[1]": "the object that this is a part of"}


def test_shapes_alone():
    lines = contents({"W": jnp.ones((2, 3)), "act": "relu"}, shapes_only=True)
    assert lines == {"W": "float32[2, 3]", "act": "'relu'"}


def test_condensed_lines_still_tell_a_change():
    lines = {f"a.b{n}.c": str(n) for n in range(50)} | {"z": "1"}
    short = condense(lines, 10)
    assert list(short) == ["a", "z"]
    assert short["z"] == "1"
    assert condense(lines | {"a.b7.c": "8"}, 10)["a"] != short["a"]
    assert condense(lines, 100) == lines
    assert digest(short) == digest(dict(reversed(short.items())))


def test_a_schedule_says_the_same_before_and_after_its_first_call():
    """Optax writes a float over the whole number that it closes over."""
    schedule = optax.cosine_decay_schedule(0.1, 10)
    before = contents(schedule)
    schedule(3)
    assert contents(schedule) == before
    assert contents(optax.cosine_decay_schedule(0.1, 11)) != before
