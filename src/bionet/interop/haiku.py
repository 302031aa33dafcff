"""dm-haiku networks as bionet models, and back.

What `hk.transform` or `hk.transform_with_state` returns is a pair of pure functions. `from_haiku`
puts them and their parameters into one model, so that every method trains it; `to_haiku` takes
them apart again. The parameters learn. A network's own state, such as the running means of a
batch normalisation, is data that no method touches: `HaikuModel.updated` says what it becomes.

Haiku is imported by this file's functions and not before.
"""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple, final

import equinox as eqx
import jax
from jaxtyping import Array, PRNGKeyArray, PyTree


class HaikuParts(NamedTuple):
    """A haiku network: its functions, the parameters, and the state, or None if there is none."""

    network: Any
    params: PyTree
    state: PyTree | None


@final
class HaikuModel(eqx.Module):
    """A haiku network with its parameters, as one model.

    Training methods answer by `bionet.interop.haiku.predict` and leave the state as it is.
    To renew it, after training say, go over some batches with

        outputs, model = model.updated(x, key)

    Args:
        network: what `hk.transform` or `hk.transform_with_state` returned.
        params: what its `init` returned, or what was trained elsewhere.
        state: likewise, for a network with state alone.

    Raises:
        TypeError: a network that is none; a state where there is none to be, or none where
            there has to be one.

    Example:
        ```python
        import haiku as hk
        import jax
        import jax.numpy as jnp
        from bionet.interop.haiku import from_haiku

        network = hk.transform(lambda x: hk.nets.MLP([8, 3])(x))
        model = from_haiku(network, jax.random.key(0), jnp.ones((1, 5)))
        print(model(jnp.ones((4, 5))).shape)
        ```
    """

    params: PyTree
    state: PyTree | None
    network: Any = eqx.field(static=True)

    def __init__(self, network: Any, params: PyTree, state: PyTree | None = None) -> None:
        if _has_state(network) != (state is not None):
            raise TypeError(
                "HaikuModel: "
                + (
                    "a network of hk.transform has no state, got one. Leave it out."
                    if state is not None
                    else "a network of hk.transform_with_state needs the state that its init "
                    "returned beside the parameters, got none."
                )
            )
        self.network, self.params, self.state = network, params, state

    def __call__(self, x: Any, key: PRNGKeyArray | None = None) -> Any:
        """Returns the network's answer to `x`; a change of its state is dropped.

        Args:
            x: its one argument.
            key: for a network that draws random numbers.
        """
        return self.updated(x, key)[0]

    def updated(self, x: Any, key: PRNGKeyArray | None = None) -> tuple[Any, HaikuModel]:
        """Returns the network's answer to `x`, and the model with the state that this leaves.

        Args:
            x: its one argument.
            key: for a network that draws random numbers.
        """
        apply = self.network.apply
        drawn = (key,) if "rng" in inspect.signature(apply).parameters else ()
        if self.state is None:
            return apply(self.params, *drawn, x), self
        outputs, state = apply(self.params, self.state, *drawn, x)
        return outputs, HaikuModel(self.network, self.params, state)

    def trained(self) -> dict[str, bool | Array]:
        """The parameters learn, the state does not."""
        return {"params": True}


def from_haiku(network: Any, key: PRNGKeyArray, x: Any) -> HaikuModel:
    """A haiku network as a model, with new parameters.

    Args:
        network: what `hk.transform` or `hk.transform_with_state` returned, of a function with
            one argument. For more of them, or for one that is always the same
            (`is_training=False`), transform a function that fills them in.
        key: of the initial parameters.
        x: an input; its shape and dtype matter.

    Raises:
        TypeError: anything else than such a network.
    """
    stateful = _has_state(network)
    made = jax.jit(network.init)(key, x)
    return HaikuModel(network, *made) if stateful else HaikuModel(network, made)


def to_haiku(model: HaikuModel) -> HaikuParts:
    """The network, its parameters and its state, for programs that know haiku alone.

    Args:
        model: a model of `from_haiku`, trained or not.

    Raises:
        TypeError: another model.

    Example:
        ```python
        import haiku as hk
        import jax
        import jax.numpy as jnp
        from bionet.interop.haiku import from_haiku, to_haiku

        model = from_haiku(hk.transform(lambda x: hk.Linear(3)(x)), jax.random.key(0), jnp.ones(5))
        network, params, _ = to_haiku(model)
        print(network.apply(params, None, jnp.ones(5)))
        ```
    """
    if not isinstance(model, HaikuModel):
        raise TypeError(
            f"to_haiku: needs a HaikuModel, got {type(model).__name__}. Make one by from_haiku."
        )
    return HaikuParts(model.network, model.params, model.state)


def predict(model: HaikuModel, x: Any, key: PRNGKeyArray) -> Any:
    """Predicts with a haiku network, as a problem asks it: `Problem(model, predict, ...)`.

    Args:
        model: the network.
        x: a batch of inputs.
        key: for a network that draws random numbers.
    """
    return model(x, key)


def _has_state(network: Any) -> bool:
    """Returns whether a transformed network has a state; an error if it is no such network."""
    import haiku as hk

    if isinstance(network, hk.TransformedWithState):
        return True
    if isinstance(network, hk.Transformed):
        return False
    raise TypeError(
        "HaikuModel: network needs to be what hk.transform or hk.transform_with_state returned, "
        f"got {network!r}. Write hk.transform(f) for a function f that makes and calls modules."
    )
