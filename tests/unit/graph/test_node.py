"""Nodes: their ticks, their connections, and what is told about those that cannot be."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.graph import BaseNode, Deterministic, TrainableDelay, Uniform
from bionet.graph.node import as_generator, by_name


def test_a_node_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        BaseNode("a", 10)


def test_ticks_do_not_drift(quiet):
    tick = quiet("a", 30).ticks_until(1_000_000_000)
    assert len(tick) == 30_000
    assert tick[:4].tolist() == [0, 33_333, 66_666, 100_000]
    assert tick[::3].tolist() == list(range(0, 1_000_000_000, 100_000))


@pytest.mark.parametrize(
    ("rate", "fraction"),
    [
        (50, 50),
        (33.333, Fraction(33333, 1000)),
        (1 / 3, Fraction(1, 3)),
        (0.0004, Fraction(1, 2500)),
    ],
)
def test_a_rate_is_a_fraction_of_small_numbers(quiet, rate, fraction):
    assert quiet("a", rate).rate == fraction


def test_a_phase_moves_all_ticks(quiet):
    node = quiet("a", 10, phase=0.03)
    assert node.ticks_until(300_000).tolist() == [30_000, 130_000, 230_000]
    assert node.ticks_until(230_000).tolist() == [30_000, 130_000]
    assert node.ticks_until(30_000).tolist() == []


def test_seconds_are_a_delay_too(quiet):
    assert isinstance(quiet("a", 10, delay=0.01).delay, Deterministic)
    assert quiet("a", 10, delay=Uniform(0, 1)).delay.high == 1


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        (
            ("a", 0),
            ValueError,
            "Node 'a': rate needs to be above 0 Hz and at most 1,000,000 Hz, got 0.",
        ),
        (("a", -5), ValueError, "got -5."),
        (("a", float("nan")), ValueError, "got nan."),
        (("a", 2e6), ValueError, "got 2000000.0."),
        (("a", "10"), TypeError, "Node 'a': rate needs a number, got '10'."),
        (("a", True), TypeError, "Node 'a': rate needs a number, got True."),
        (("", 10), ValueError, "Quiet: name needs a letter at least, got ''."),
        ((3, 10), TypeError, "Quiet: name needs a string, got 3."),
        (("a", 10, -1.0), ValueError, "Node 'a': delay needs finite seconds, 0 or more, got -1.0."),
        (("a", 10, "1"), TypeError, "Node 'a': delay needs seconds or a delay, got '1'."),
        (("a", 10, TrainableDelay(0, 1)), TypeError, "Node 'a': how long a step takes is drawn"),
        (
            ("a", 10, 0.0, -1),
            ValueError,
            "Node 'a': phase needs finite seconds, 0 or more, got -1.",
        ),
    ],
)
def test_a_node_that_cannot_be_is_told(quiet, says, words, kind, sentence):
    with says(kind, sentence):
        quiet(*words)


def test_connections_have_names(quiet):
    a, b = quiet("a", 10), quiet("b", 20)
    first = b.connect(a, window=3, delay=0.01)
    second = b.connect(a, skip=True, name="again")
    own = b.connect(b, delay=0.01)
    assert dict(b.inputs) == {"a": first, "again": second, "b": own}
    assert (first.receiver, first.name, first.sender, first.window) == ("b", "a", a, 3)
    assert second.skip
    assert not first.skip
    with pytest.raises(TypeError):
        b.inputs["c"] = first


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"window": 0}, ValueError, "Node 'b': input 'a': window needs 1 or more, got 0."),
        ({"window": 1.5}, TypeError, "Node 'b': input 'a': window needs an int, got 1.5."),
        ({"window": True}, TypeError, "Node 'b': input 'a': window needs an int, got True."),
        ({"delay": -1}, ValueError, "Node 'b': input 'a': delay needs finite seconds"),
        ({"name": "x"}, ValueError, "Node 'b': input 'x' is there already; give a second"),
        (
            {"window": 4, "delay": TrainableDelay(0.0, 0.4)},
            ValueError,
            "window needs 5 or more to cover delays from 0.0 to 0.4 s, got 4.",
        ),
    ],
)
def test_a_connection_that_cannot_be_is_told(quiet, says, options, kind, sentence):
    a, b = quiet("a", 10), quiet("b", 20)
    b.connect(a, name="x")
    with says(kind, sentence):
        b.connect(a, **options)


def test_a_sender_is_a_node(quiet, says):
    with says(TypeError, "Node 'b': connect needs a node as sender, got 'a'."):
        quiet("b", 20).connect("a")


@pytest.mark.parametrize("key", [None, jax.random.key(0), jax.random.PRNGKey(0)])
def test_windows_begin_with_what_the_sender_has_before_its_first_step(quiet, key):
    a, b = quiet("a", 10), quiet("b", 20)
    b.connect(a, window=3)
    seen = b.init_inputs(key)["a"]
    assert seen.seq.tolist() == [-1, -1, -1]
    assert seen.data.shape == (3, 2)
    assert seen.ts_sent.dtype == jnp.int32
    assert b.init_params(key) == {}
    assert b.init_state(key) == {}


def test_nodes_come_by_name(quiet, says):
    a, b = quiet("a", 10), quiet("b", 20)
    a.connect(b)
    assert by_name([b, a]) == by_name({"b": b, "a": a}) == {"a": a, "b": b}
    assert list(by_name([b, a])) == ["a", "b"]
    with says(ValueError, "nodes: needs one node at least, got none."):
        by_name([])
    with says(ValueError, "nodes: node 'a' listens to 'b', which is not among them"):
        by_name([a])
    with says(ValueError, "nodes: node 'a' listens to 'b', which is not among them"):
        by_name([a, quiet("b", 20)])
    with says(ValueError, "nodes: two nodes are named 'b'"):
        by_name([b, b])
    with says(ValueError, "nodes: node 'b' is under the key 'c'; use its name."):
        by_name({"c": b})
    with says(TypeError, "nodes: needs nodes, got 3."):
        by_name([3])


def test_a_generator_comes_from_a_seed_or_from_a_key_of_either_style():
    old, new = (as_generator(make(7)).random() for make in (jax.random.PRNGKey, jax.random.key))
    assert old == new
    assert as_generator(7).random() == as_generator(7).random() != as_generator(8).random()
    given = np.random.default_rng(0)
    assert as_generator(given) is given
