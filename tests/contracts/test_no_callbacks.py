"""No program that `fit`, `evaluate`, a control or a predictor compiles calls back to the host.

JAX never keeps such a program in its persistent cache, so it would be compiled anew in every
process. Checks of values are made at the door. Programs are traced and walked, not compiled.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from jax.extend.core import ClosedJaxpr, Jaxpr

from bionet import zoo
from bionet.orchestrators.nested import NestedNetwork
from bionet.states.sequential import SequentialState
from bionet.training import GeneratedBatches
from bionet.training.control.frozen import FrozenHidden
from bionet.training.epoch import run_epoch
from bionet.training.evaluate import _evaluate
from bionet.training.registry import METHODS

KEY = jax.random.key(0)
ON = {
    "storage": "memory-hebbian",
    "error-phase": "classification-local-sparse",
    "feedback-alignment": "classification-dfa",
    "dfa": "classification-dfa",
}
SMALL = {"population": 4, "num_samples": 2}


def callbacks(jaxpr):
    """The names of all primitives that call back, in a program and in those inside it."""
    for equation in jaxpr.eqns:
        if any(word in equation.primitive.name for word in ("callback", "debug_print", "outfeed")):
            yield equation.primitive.name
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                if isinstance(inner, ClosedJaxpr):
                    yield from callbacks(inner.jaxpr)
                elif isinstance(inner, Jaxpr):
                    yield from callbacks(inner)


def found(function, *args):
    """The callbacks of a function's program on these arguments."""
    jaxpr, _, _ = eqx.filter_make_jaxpr(function)(*args)
    return list(callbacks(jaxpr.jaxpr))


def jitted(x):
    return jax.jit(lambda x: eqx.error_if(x, x > 0, "no"))(x)


def scanned(x):
    step = lambda carry, _: (eqx.error_if(carry, carry > 0, "no"), None)  # noqa: E731
    return jax.lax.scan(step, x, length=2)[0]


def branched(x):
    return jax.lax.cond(x > 0, lambda x: eqx.error_if(x, x > 1, "no"), lambda x: x, x)


def told(x):
    jax.debug.callback(lambda x: None, x)
    return x


def printed(x):
    jax.debug.print("{}", x)
    return x


@pytest.mark.parametrize("function", [jitted, scanned, branched, told, printed])
def test_the_walk_finds_a_callback_wherever_it_is(function):
    assert found(function, jnp.asarray(1.0)) != []


def test_a_check_under_a_users_own_jit_stays():
    """`state.init` is published with its check; `place` is without one."""
    state = SequentialState((3, 2))
    assert found(lambda x: state.init(x).buffers, jnp.ones((1, 3))) != []
    assert found(lambda x: state.place(x).buffers, jnp.ones((1, 3))) == []


@functools.cache
def recipe_of(id):
    return zoo.get(id).replace(batch_size=4)


@pytest.mark.parametrize("word", METHODS)
def test_a_step_of_every_method_has_none(word):
    recipe = recipe_of(ON.get(word, "prototypes-local"))
    known = METHODS[word].Options.__dataclass_fields__
    small = {name: value for name, value in SMALL.items() if name in known}
    method, batch = recipe.switch(word, small).build_method(), recipe.synthetic_batch(KEY, 4)
    assert found(method.step, method.init(recipe.build(), KEY), batch, KEY) == []


@pytest.mark.parametrize("id", zoo.REGISTRY)
class TestRecipe:
    @pytest.mark.slow
    def test_its_own_step_and_its_epoch_have_none(self, id):
        recipe = recipe_of(id)
        method = recipe.build_method()
        batches = GeneratedBatches(lambda key: recipe.synthetic_batch(key, 4), num_batches=2)
        train_state = method.init(recipe.build(), KEY)
        assert found(run_epoch, method, train_state, batches, KEY) == []

    @pytest.mark.slow
    def test_its_predictor_and_its_evaluation_have_none(self, id):
        recipe = recipe_of(id)
        model, (x, y) = recipe.build(), recipe.synthetic_batch(KEY, 4)
        objective, scores = recipe.objective, (recipe.objective.loss, recipe.workload.metric)
        assert found(objective.predict, model, x, KEY) == []
        assert found(lambda x, y: objective((model), (x, y), KEY), x, y) == []
        examples = Pair(x, y)
        assert found(_evaluate, objective.predict, scores, model, examples, KEY) == []

    @pytest.mark.slow
    def test_what_its_control_compiles_has_none(self, id):
        recipe = recipe_of(id)
        if recipe.control is None:
            pytest.skip("no layer of it is hidden")
        model, batch = recipe.build(), recipe.synthetic_batch(KEY, 4)
        method = recipe.switch("frozen", {}).build_method()
        methods = [method]
        if isinstance(method, FrozenHidden):
            methods.append(FrozenHidden(recipe.state(), steps=method.steps, hidden="feed-forward"))
        for each in methods:
            assert found(each.step, each.init(model, KEY), batch, KEY) == []


def test_a_network_inside_another_has_none(make_network):
    """Its own labels and fields are looked at in a user's `backward` alone."""
    inner = make_network(1, seed=1)
    node = NestedNetwork(inner.orchestrator, inner.state.sizes, steps=2)
    x = node.pack(inner.clamped)
    learn = lambda x: node.unchecked_backward(x, x, x)  # noqa: E731
    checked = lambda x: node.backward(x, x, x)  # noqa: E731
    assert found(learn, x) == []
    assert found(checked, x) != []


class Pair(eqx.Module):
    """Examples without a look at their values."""

    x: jax.Array
    y: jax.Array

    def __len__(self):
        return len(self.x)
