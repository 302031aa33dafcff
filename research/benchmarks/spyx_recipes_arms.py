"""The arms of `spyx_recipes.py`: each function returns a call that runs many compiled steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh
from spyx import optimize
from spyx.experimental import hybrid as their_hybrid
from spyx.experimental.zoo import classification, control

from bionet.experimental.hybrid import SurrogateES
from bionet.modules import LIF, CellChain, LeakyIntegrator, RecurrentSpiking, Synapses, over_time
from bionet.training import AbstractMethod, Evolution, Gradient, Objective
from bionet.training.zeroth_order.trained_vector import trained_vector, with_trained

Run = Callable[[], Any]
SIGMA, LAM, RATE = 0.01, 0.2, 2e-3


def ours(method: AbstractMethod, model: Any, batch: Any, steps: int) -> Run:
    """Steps of a method, from the same start in each call; returns their losses."""
    arrays, static = eqx.partition(method.init(model, jax.random.key(0)), eqx.is_array)

    def step(carry: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        after, told = method.step(eqx.combine(carry, static), batch, key)
        return eqx.filter(after, eqx.is_array), told["training_loss"]

    run = jax.jit(lambda start, keys: jax.lax.scan(step, start, keys)[1])
    keys = jax.random.split(jax.random.key(1), steps)
    return lambda: run(arrays, keys)


# A policy by evolution.


def our_control(population: int, steps: int) -> Run:
    """The policy and the episodes of Spyx, as a bionet network."""
    keys = jax.random.split(jax.random.key(0))
    policy = CellChain(
        Synapses(2, control.HIDDEN, keys[0]),
        LIF(control.HIDDEN, 0.5),
        Synapses(control.HIDDEN, 1, keys[1]),
        LeakyIntegrator(1, 0.8),
    )

    def episodes(policy: CellChain, x: jax.Array, key: jax.Array) -> jax.Array:
        def step(carry: Any, _: None) -> Any:
            world, memory = carry
            force, memory = policy(world, memory)
            velocity = world[:, 1] + control.DT * force[:, 0]
            position = world[:, 0] + control.DT * velocity
            return (jnp.stack([position, velocity], -1), memory), position**2

        start = (x, policy.initial(len(x)))
        return jax.lax.scan(step, start, length=control.ROLLOUT_STEPS)[1].sum(0)

    method = Evolution(
        Objective(episodes, lambda costs, _: costs.mean()),
        "Open_ES",
        population=population,
        sigma=0.3,
        optimizer=optax.adam(0.1),
    )
    (starts,) = control.synthetic_batch()
    return ours(method, policy, (starts, starts), steps)


def their_control(population: int, steps: int) -> Run:
    """What the `demo` of Spyx does, with all generations compiled into one call."""
    from evosax.algorithms import Open_ES

    graph, params = nnx.split(control.build(nnx.Rngs(0)), nnx.Param)
    flat, unravel = ravel_pytree(params)
    (starts,) = control.synthetic_batch()
    strategy = Open_ES(
        population_size=population,
        solution=jnp.zeros_like(flat),
        optimizer=optax.adam(0.1),
        std_schedule=optax.constant_schedule(0.3),
    )
    settings = strategy.default_params

    def cost(vector: jax.Array) -> jax.Array:
        return control.rollout_cost(nnx.merge(graph, unravel(vector)), starts)

    def generation(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        asking, telling = jax.random.split(key)
        members, state = strategy.ask(asking, state, settings)
        costs = jax.vmap(cost)(members)
        state, _ = strategy.tell(telling, members, costs, state, settings)
        return state, costs.mean()

    run = jax.jit(lambda state, keys: jax.lax.scan(generation, state, keys)[1])
    state = strategy.init(jax.random.key(0), flat, settings)
    keys = jax.random.split(jax.random.key(1), steps)
    return lambda: run(state, keys)


# The spiking classifier of 920 weights.


def their_network() -> Any:
    """That of `spyx.experimental.zoo.classification`."""
    return classification.build(nnx.Rngs(0))


def our_network(theirs: Any) -> CellChain:
    """The same network from the same weights."""
    first, core, last, readout = theirs.layers
    unit = LIF(classification.HIDDEN, core.beta[...], surrogate="arctan", reset_gradient=True)
    key = jax.random.key(0)
    model = CellChain(
        RecurrentSpiking(classification.INPUTS, classification.HIDDEN, unit, key),
        Synapses(classification.HIDDEN, classification.CLASSES, key),
        LeakyIntegrator(classification.CLASSES, readout.beta[...]),
    )
    return eqx.tree_at(
        lambda m: (m.cells[0].W, m.cells[0].J, m.cells[1].W),
        model,
        [first.kernel[...], core.recurrent_w[...], last.kernel[...]],
    )


def objective() -> Objective:
    """The cross-entropy of the summed voltages; a unit of Spyx answers a step late."""

    def predict(model: CellChain, x: jax.Array, key: jax.Array) -> jax.Array:
        return over_time(model, x)[0][:-1].sum(0)

    def loss(outputs: jax.Array, y: jax.Array) -> jax.Array:
        wanted = optax.smooth_labels(jax.nn.one_hot(y, classification.CLASSES), 0.3)
        return optax.softmax_cross_entropy(outputs, wanted).mean()

    return Objective(predict, loss)


def losses(ours: CellChain, theirs: Any) -> dict[str, float]:
    """Of both before training, and how many numbers learn."""
    batch = classification.synthetic_batch()
    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(theirs, nnx.Param)))
    return {
        "bionet": float(objective()(ours, batch, jax.random.key(0))),
        "spyx": float(classification.loss(theirs, *batch)),
        "weights of bionet": trained_vector(ours).size,
        "weights of spyx": count,
    }


def our_steps(model: CellChain, pairs: int, steps: int, mesh: Mesh | None = None) -> Run:
    """Surrogate steps, corrected by so many pairs."""
    optimizer = optax.adam(RATE)
    method: AbstractMethod = Gradient(objective(), optimizer)
    if pairs:
        settings = {"num_samples": pairs, "sigma": SIGMA, "lam": LAM, "mesh": mesh}
        chunk = min(2 * pairs // (1 if mesh is None else mesh.size), 16)
        method = SurrogateES(objective(), optimizer, chunk=chunk, **settings)
    return ours(method, model, classification.synthetic_batch(), steps)


def their_steps(model: Any, pairs: int, steps: int) -> Run:
    """The same of Spyx, by its own training steps."""
    loss = classification.loss
    optimizer = nnx.Optimizer(model, optax.adam(RATE), wrt=nnx.Param)
    graph, start = nnx.split((model, optimizer))
    batch = classification.synthetic_batch()
    plain = optimize.make_train_step(loss)
    corrected = their_hybrid.make_hybrid_train_step(
        loss, loss, num_samples=max(pairs, 1), sigma=SIGMA, lam=LAM, normalize=True
    )

    def step(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        model, optimizer = nnx.merge(graph, state)
        if pairs:
            value = corrected(model, optimizer, key, *batch)
        else:
            value = plain(model, optimizer, *batch)
        return nnx.split((model, optimizer))[1], value

    run = jax.jit(lambda start, keys: jax.lax.scan(step, start, keys)[1])
    keys = jax.random.split(jax.random.key(1), steps)
    return lambda: run(start, keys)


# Larger networks, ours alone.


def _parts(model: Any, objective: Objective, batch: Any, pairs: int, chunk: int | None) -> Any:
    """A bulk step, a hybrid step, and as many plain evaluations."""
    optimizer = optax.adam(RATE)
    corrected = SurrogateES(
        objective, optimizer, num_samples=pairs, sigma=SIGMA, lam=LAM, chunk=chunk
    )
    center, key = trained_vector(model), jax.random.key(0)

    def plain(members: jax.Array) -> jax.Array:
        return jax.vmap(lambda v: objective(with_trained(model, v), batch, key))(members)

    def drawn(key: jax.Array) -> jax.Array:
        noise = SIGMA * jax.random.normal(key, (pairs, center.size))
        return plain(center + jnp.concatenate([noise, -noise]))

    given = center + SIGMA * jax.random.normal(key, (2 * pairs, center.size))
    evaluate, draw = jax.jit(plain), jax.jit(drawn)
    return center.size, {
        "bulk": ours(Gradient(objective, optimizer), model, batch, 1),
        "hybrid": ours(corrected, model, batch, 1),
        "given members": lambda: evaluate(given),
        "drawn members": lambda: draw(key),
    }


def _spiking(pairs: int) -> Any:
    """64-96-10 recurrent spiking units, 50 time steps, batch 64."""
    keys = jax.random.split(jax.random.key(0), 4)
    model = CellChain(
        RecurrentSpiking(64, 96, LIF(96, 0.9), keys[0]),
        Synapses(96, 10, keys[1]),
        LeakyIntegrator(10, 0.9),
    )
    x = jax.random.bernoulli(keys[2], 0.1, (50, 64, 64)).astype(jnp.float32)
    y = jax.random.randint(keys[3], (64,), 0, 10)
    predicted = Objective(
        lambda model, x, key: over_time(model, x)[0].mean(0),
        lambda out, y: optax.softmax_cross_entropy_with_integer_labels(out, y).mean(),
    )
    return _parts(model, predicted, (x, y), pairs, None)


def _perceptron(pairs: int) -> Any:
    """784-128-10, batch 128."""
    keys = jax.random.split(jax.random.key(0), 3)
    model = eqx.nn.MLP(784, 10, 128, 1, key=keys[0])
    x = jax.random.uniform(keys[1], (128, 784))
    y = jax.random.randint(keys[2], (128,), 0, 10)
    predicted = Objective(
        lambda model, x, key: jax.vmap(model)(x),
        lambda out, y: optax.softmax_cross_entropy_with_integer_labels(out, y).mean(),
    )
    return _parts(model, predicted, (x, y), pairs, None)


LARGE = {"64-96-10 spiking": _spiking, "784-128-10": _perceptron}
