"""`LayerMap`: what it offers, and every wiring that it refuses, named by its edge."""

import inspect

import equinox as eqx
import jax
import numpy as np
import pytest

from bionet.layer_maps.sparse import LayerMap, leaf_name
from bionet.modules.fully_connected import FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.recurrent import RecurrentDiscrete


def dense(n_in, n_out):
    """An adapter without numbers in it; only its shapes matter here."""
    return eqx.filter_eval_shape(FullyConnected, n_in, n_out, 1.0, 0.5, jax.random.key(0))


def binary(n):
    return eqx.filter_eval_shape(RecurrentDiscrete, n, 0.5, 0.5, jax.random.key(0))


@pytest.fixture
def rows():
    """4-8-2 with a feedback edge, its keys in disorder."""
    return {
        2: {2: OutputLayer(), 1: dense(8, 2)},
        1: {2: dense(2, 8), 0: dense(4, 8), 1: binary(8)},
    }


@pytest.fixture
def lmap(rows):
    return LayerMap.from_dict(rows)


def test_the_published_signatures(lmap):
    parameters = inspect.signature(LayerMap.from_dict).parameters
    assert list(parameters) == ["rows", "require_diagonal"]
    assert parameters["require_diagonal"].default is True
    for name in ("rows", "cols_of", "neighbors", "row_items", "edge_items", "to_dict"):
        assert callable(getattr(lmap, name))


def test_rows_and_senders_are_sorted(lmap):
    assert lmap.rows() == (1, 2)
    assert lmap.cols_of(1) == (0, 1, 2)
    assert lmap.cols_of(2) == (1, 2)
    assert lmap.last == 2
    assert len(lmap) == 5
    assert [edge for edge, _ in lmap.edge_items()] == [(1, 0), (1, 1), (1, 2), (2, 1), (2, 2)]


def test_a_pair_is_the_receiver_and_then_the_sender(lmap, rows):
    assert lmap[1, 0] is rows[1][0]
    assert lmap[1, 2].sender_shape == (2,)
    assert lmap[2, 1].receiver_shape == (2,)
    assert dict(lmap.edge_items())[1, 2] is lmap[1, 2]


def test_a_row_can_be_read_but_not_written(lmap):
    assert list(lmap[1]) == list(lmap.neighbors(1)) == [0, 1, 2]
    for row in (lmap[1], lmap.neighbors(1)):
        with pytest.raises(TypeError):
            row[0] = OutputLayer()


def test_membership_of_edges_and_rows(lmap):
    assert (1, 2) in lmap
    assert 2 in lmap
    for absent in [(2, 0), (0, 1), (3, 3), 0, 3, "1", ("1", 0), (1, 0, 0)]:
        assert absent not in lmap


def test_row_items_by_senders(lmap):
    def senders(**options):
        return {i: tuple(row) for i, row in lmap.row_items(**options)}

    assert senders() == {1: (0, 1, 2), 2: (1, 2)}
    assert senders(skip_last=True) == {1: (0, 1, 2)}
    assert senders(senders="forward") == {1: (0, 1), 2: (1, 2)}
    assert senders(senders="backward") == {1: (1, 2), 2: (2,)}
    assert senders(senders="unsupervised") == {1: (0, 1), 2: (1, 2)}


def test_later_changes_of_the_dict_do_not_reach_the_map(lmap, rows):
    rows[1].pop(2)
    assert (1, 2) in lmap
    lmap.to_dict()[1].pop(0)
    assert (1, 0) in lmap
    assert jax.tree.structure(LayerMap.from_dict(lmap.to_dict())) == jax.tree.structure(lmap)


def test_keys_are_in_the_structure_and_modules_are_the_children(two_hidden):
    lmap = two_hidden.orchestrator.lmap
    modules = [module for _, module in lmap.edge_items()]
    leaves = [leaf for module in modules for leaf in jax.tree.leaves(module)]
    assert all(a is b for a, b in zip(jax.tree.leaves(lmap), leaves, strict=True))
    without = {i: {j: m for j, m in row.items() if j != 3} for i, row in lmap.to_dict().items()}
    without[3] = lmap.to_dict()[3]
    assert jax.tree.structure(LayerMap.from_dict(without)) != jax.tree.structure(lmap)


def test_map_edges_keeps_the_wiring(lmap):
    named = lmap.map_edges(lambda edge, module: f"{type(module).__name__} {edge}")
    assert named[1, 2] == "FullyConnected (1, 2)"
    assert [edge for edge, _ in named.edge_items()] == [edge for edge, _ in lmap.edge_items()]


def test_a_leaf_is_called_by_its_edge(two_hidden):
    paths = jax.tree_util.tree_leaves_with_path(two_hidden.orchestrator)
    names = [leaf_name(path) for path, _ in paths]
    assert names[0] == "edge (1, 0), leaf W"
    assert names[2] == "edge (1, 0), leaf threshold"
    assert "edge (2, 2), leaf J" in names
    (path, _), *_ = jax.tree_util.tree_leaves_with_path({"w": np.ones(1)})
    assert leaf_name(path) == "leaf ['w']"


def test_rows_in_between_may_be_absent():
    lmap = LayerMap.from_dict({3: {0: dense(4, 2), 1: dense(5, 2), 3: OutputLayer()}})
    assert lmap.rows() == (3,)
    assert lmap.last == 3
    assert 1 not in lmap


def test_numpy_ints_are_ints():
    lmap = LayerMap.from_dict({np.int64(1): {np.int32(0): dense(4, 2), np.uint8(1): OutputLayer()}})
    assert lmap.rows() == (1,)
    assert {type(key) for key in lmap.cols_of(1)} == {int}


@pytest.mark.parametrize("key", ["1", 1.0, True, None, (1,)])
def test_keys_are_ints(key, says):
    sentence = "keys are buffer numbers and need to be ints, got"
    with says(TypeError, f"LayerMap.from_dict: row {sentence} {key!r}."):
        LayerMap.from_dict({key: {1: OutputLayer()}})
    with says(TypeError, f"LayerMap.from_dict: row 1 {sentence} {key!r}."):
        LayerMap.from_dict({1: {key: OutputLayer()}})


@pytest.mark.parametrize(
    ("thing", "kind"), [(None, "NoneType"), ("dense", "str"), (len, "builtin_function_or_method")]
)
def test_values_are_modules(thing, kind, says):
    sentence = f"LayerMap.from_dict: edge (1, 0) needs a bionet module, got {kind}."
    with says(TypeError, sentence):
        LayerMap.from_dict({1: {0: thing, 1: OutputLayer()}})


def test_another_librarys_layer_is_no_module(says):
    foreign = eqx.filter_eval_shape(eqx.nn.Linear, 4, 2, key=jax.random.key(0))
    with says(TypeError, "LayerMap.from_dict: edge (1, 0) needs a bionet module, got Linear."):
        LayerMap.from_dict({1: {0: foreign, 1: OutputLayer()}})


def test_a_class_is_no_module(says):
    with says(TypeError, "LayerMap.from_dict: edge (1, 1) needs a bionet module, got "):
        LayerMap.from_dict({1: {1: OutputLayer}})


@pytest.mark.parametrize("thing", [None, [1], OutputLayer()])
def test_rows_are_dicts(thing, says):
    kind = type(thing).__name__
    with says(TypeError, f"LayerMap.from_dict: row needs a dict with int keys, got {kind}."):
        LayerMap.from_dict(thing)
    with says(TypeError, f"LayerMap.from_dict: row 1 needs a dict with int keys, got {kind}."):
        LayerMap.from_dict({1: thing})


def test_an_empty_map_is_refused(says):
    with says(ValueError, "LayerMap.from_dict: needs one row at least, got an empty dict."):
        LayerMap.from_dict({})


@pytest.mark.parametrize("row", [0, -1])
def test_the_input_has_no_row(rows, row, says):
    sentence = f"LayerMap.from_dict: row {row} can't receive: buffer 0 is the input, and there"
    with says(ValueError, sentence):
        LayerMap.from_dict(rows | {row: {row: OutputLayer()}})


@pytest.mark.parametrize("sender", [3, 7, -1])
def test_an_edge_to_a_buffer_that_does_not_exist(rows, sender, says):
    rows[1][sender] = dense(2, 8)
    sentence = (
        f"LayerMap.from_dict: edge (1, {sender}) listens to buffer {sender}, but the last row "
        "is 2, so there are buffers 0 to 2."
    )
    with says(ValueError, sentence):
        LayerMap.from_dict(rows)


@pytest.mark.parametrize("row", [1, 2])
def test_a_missing_diagonal(rows, row, says):
    del rows[row][row]
    sentence = f"LayerMap.from_dict: edge ({row}, {row}) is missing; each row needs a layer on its"
    with says(ValueError, sentence):
        LayerMap.from_dict(rows)
    assert (row, row) not in LayerMap.from_dict(rows, require_diagonal=False)


@pytest.mark.parametrize("require", [True, False])
def test_an_adapter_on_the_diagonal(rows, require, says):
    rows[1][1] = dense(8, 8)
    sentence = (
        "LayerMap.from_dict: edge (1, 1) needs a layer (with reduce and activation), got the "
        "adapter FullyConnected."
    )
    with says(TypeError, sentence):
        LayerMap.from_dict(rows, require_diagonal=require)


@pytest.mark.parametrize(
    ("edge", "module", "sentence"),
    [
        (
            (2, 1),
            dense(7, 2),
            "edge (2, 1) needs buffer 1 of shape (7,), but edge (1, 0) needs it of shape (8,).",
        ),
        (
            (1, 1),
            binary(9),
            "edge (1, 1) needs buffer 1 of shape (9,), but edge (1, 0) needs it of shape (8,).",
        ),
        # A width of one would be broadcast over the two labels without a word.
        (
            (2, 1),
            dense(8, 1),
            "edge (2, 1) needs buffer 2 of shape (1,), but edge (1, 2) needs it of shape (2,).",
        ),
        (
            (2, 0),
            dense(5, 2),
            "edge (2, 0) needs buffer 0 of shape (5,), but edge (1, 0) needs it of shape (4,).",
        ),
    ],
)
def test_edges_that_disagree_about_a_buffer(rows, edge, module, sentence, says):
    rows[edge[0]][edge[1]] = module
    with says(ValueError, f"LayerMap.from_dict: {sentence}"):
        LayerMap.from_dict(rows)


def test_an_edge_or_a_row_that_is_not_there(lmap, says):
    with says(KeyError, "The layer map has no edge (2, 0); row 2 has senders 1, 2."):
        lmap[2, 0]
    for look in (lambda: lmap[0], lambda: lmap.cols_of(0), lambda: lmap[0, 1]):
        with says(KeyError, "The layer map has no row 0; it has rows 1, 2."):
            look()


def test_it_iterates_over_its_edges(one_hidden):
    lmap = one_hidden.orchestrator.lmap
    assert list(lmap) == [edge for edge, _ in lmap.edge_items()]
    assert len(list(lmap)) == len(lmap)
