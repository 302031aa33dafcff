"""Options that were tuned for a workload and a data set: those of the recipe that is about them.

Every recipe holds the options of its own method, found on validation data. Another recipe on the
same workload takes them from there when it is trained by that method.
"""

from __future__ import annotations

from typing import Any

from bionet.zoo.registry import REGISTRY
from bionet.zoo.spec import RecipeSpec


def find_tuned(spec: RecipeSpec, workload: Any, dataset: str, method: str) -> Any:
    """Returns the recipe whose own method has that word, on the same workload and data set.

    Args:
        spec: of the recipe that asks; only recipes with its tags are imported.
        workload: its workload.
        dataset: the data set that it is set to.
        method: a word.

    Returns:
        The first such recipe, set to the data set; None if there is none.
    """
    for each in REGISTRY.values():
        same = (each.application, each.architecture) == (spec.application, spec.architecture)
        if same and each.method == method and dataset in each.datasets:
            other = each.load()
            if other.workload is workload:
                return other.on(dataset)
    return None
