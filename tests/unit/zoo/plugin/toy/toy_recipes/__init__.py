"""What the zoo reads of this plug-in: its spec, without the recipe, which loads JAX."""

from bionet.zoo import RecipeSpec

SPEC = RecipeSpec(
    id="toys-local",
    application="toys",
    method="two-phase",
    architecture="binary-rnn",
    family="local",
    summary="Three noisy toys, told apart by eight binary units.",
    entry_point="toy_recipes.toys_local:RECIPE",
    datasets=("toys",),
)
