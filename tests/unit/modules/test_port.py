"""`Port` and `Span`: an adapter on parts of two buffers, and nothing on the other parts."""

from typing import ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.fully_connected import FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.interfaces import AbstractAdapter
from bionet.modules.port import Port, Span
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.states.sequential import SequentialState

HEARS, DRIVES = Span(1, (2,), 4), Span(2, (1, 3), 5)


def batch(*shape):
    return jnp.asarray(np.random.default_rng(0).choice([-1.0, 1.0], (6, *shape)), jnp.float32)


def test_a_span_takes_its_part_out_and_puts_it_back():
    buffer = jnp.arange(10.0).reshape(2, 5)
    assert np.array_equal(DRIVES.of(buffer), [[[2.0, 3.0, 4.0]], [[7.0, 8.0, 9.0]]][0:2])
    assert DRIVES.of(buffer).shape == (2, 1, 3)
    back = DRIVES.into(DRIVES.of(buffer))
    assert np.array_equal(back, [[0, 0, 2, 3, 4], [0, 0, 7, 8, 9]])


@pytest.mark.parametrize(("start", "shape", "width"), [(3, (3,), 5), (-1, (2,), 5), (0, (0,), 5)])
def test_a_span_lies_in_its_buffer(says, start, shape, width):
    with says(ValueError, f"need to lie in a buffer of {width}."):
        Span(start, shape, width)


def test_a_buffer_of_another_width_is_refused_not_sliced(dense, says):
    port = Port(dense(np.ones((2, 3))), hears=HEARS)
    with says(ValueError, "Span: the buffer needs shape (batch, 4), got (6, 5)."):
        port(batch(5))
    with says(ValueError, "Span: the part needs shape (batch, 1, 3), got (6, 3)."):
        DRIVES.into(batch(3))


def test_only_the_part_is_heard_and_only_the_part_is_driven(dense):
    W = np.arange(6.0).reshape(2, 3)
    x = batch(4)
    port = Port(dense(W), hears=HEARS, drives=Span(2, (3,), 5))
    assert (port.sender_shape, port.receiver_shape) == ((4,), (5,))
    expected = np.concatenate([np.zeros((6, 2)), np.asarray(x)[:, 1:3] @ W], axis=1)
    assert np.array_equal(port(x), expected)


def test_it_learns_from_its_parts_alone_and_by_its_own_rule(dense, same_bits):
    inner = dense(np.zeros((2, 3)), 0.5)
    port = Port(inner, hears=HEARS, drives=Span(2, (3,), 5))
    x, y, y_hat = batch(4), batch(5), 0.25 * batch(5)
    gate = jnp.arange(6.0)
    expected = inner.backward(x[:, 1:3], y[:, 2:], y_hat[:, 2:], gate)
    same_bits(port.backward(x, y, y_hat, gate).inner, expected)
    assert np.abs(expected.W).max() > 0
    assert Port(dense(np.zeros((2, 3)), None), hears=HEARS).trained() == {}


@pytest.mark.parametrize(
    ("ends", "sender", "receiver"),
    [
        ({"drives": DRIVES}, (1, 3), (5,)),
        ({"hears": HEARS}, (4,), (2,)),
        ({"hears": HEARS, "drives": Span(0, (2,), 3)}, (4,), (3,)),
    ],
)
def test_a_copy_carries_what_it_hears_as_it_is(ends, sender, receiver):
    port = Port(**ends)
    assert (port.sender_shape, port.receiver_shape) == (sender, receiver)
    x = batch(*sender)
    units = np.asarray(x)[:, 1:3] if "hears" in ends else np.asarray(x).reshape(6, -1)
    found = np.asarray(port(x))
    start = ends["drives"].start if "drives" in ends else 0
    assert np.array_equal(found[:, start : start + units.shape[1]], units)
    assert np.abs(found).sum() == units.size
    assert port.trained() == port.increments(x, x, x) == {}
    assert port.admit_target(x) is x


def test_labels_are_admitted_by_the_part_that_learns_them(dense, says):
    # A readout whose buffer holds three labels and two numbers that nobody learns.
    port = Port(dense(np.ones((4, 3)), 0.5), drives=Span(1, (3,), 5))
    lmap = LayerMap.from_dict({1: {0: port, 1: OutputLayer()}})
    network, blank = SequentialOrchestrator(lmap), SequentialState((4, 5))
    y = np.concatenate([np.full((6, 1), 7.0), batch(3), np.zeros((6, 1))], axis=1)
    learned = network.backward(blank.init(batch(4), y))
    assert np.isfinite(learned.lmap[1, 0].inner.W).all()
    with says(RuntimeError, "FullyConnected: labels need to be -1 or +1, got others;"):
        jax.block_until_ready(network.backward(blank.init(batch(4), y + 1)).lmap[1, 0].inner.W)


def test_parts_that_do_not_fit(dense, says):
    with says(TypeError, "Port: inner needs an adapter or None, got OutputLayer."):
        Port(OutputLayer())
    sentence = "Port: hears a part of shape (2,), but inner has shape (3,) there."
    with says(ValueError, sentence):
        Port(dense(np.ones((3, 3))), hears=HEARS)
    with says(ValueError, "Port: drives a part of shape (1, 3), but inner has shape (3,) there."):
        Port(dense(np.ones((2, 3))), hears=HEARS, drives=DRIVES)
    with says(ValueError, "Port: a copy needs to know what it hears or what it drives."):
        Port()
    with says(ValueError, "Port: a copy can't drive a part of shape (1, 3) with one of shape (2,)"):
        Port(hears=HEARS, drives=DRIVES)


def test_a_port_asks_for_a_key_where_its_adapter_does(noisy):
    noise = noisy.orchestrator.lmap[1, 0]
    port = Port(noise, hears=Span(0, (5,), 8))
    assert port.needs_key
    key = jax.random.key(0)
    assert np.array_equal(port(batch(8), key), noise(batch(8)[:, :5], key))
    assert not Port(FullyConnected(5, 2, 1.0, 0.5, key)).needs_key


def test_a_mask_inside_has_no_sign(same_bits):
    """Increments of the module inside are a module, with leaves that are no numbers."""
    inner = Masked(jnp.ones((3, 2)), jnp.asarray([[True, False], [True, True], [False, True]]))
    port = Port(inner, hears=Span(0, (3,), 5))
    x, y = jnp.ones((4, 5)), jnp.ones((4, 2))
    found = port.backward(x, y, -y).inner
    assert found.mask.dtype == bool
    same_bits(found.W, inner.backward(x[:, :3], y, -y).W)


@final
class Masked(AbstractAdapter):
    """Dense couplings with a boolean leaf beside them; only this test has it."""

    W: Array
    mask: Array
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    needs_key: ClassVar[bool] = False

    def __init__(self, W, mask):
        self.W, self.mask = W, mask
        self.sender_shape, self.receiver_shape = W.shape[:1], W.shape[1:]

    def __call__(self, x, rng=None):
        return x @ self.W

    def trained(self):
        return {"W": self.mask}

    def increments(self, x, y, y_hat, gate=None):
        return {"W": jnp.where(self.mask, x.T @ y, 0.0)}
