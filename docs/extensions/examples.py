"""Shows what stands under `Example:` in a docstring as an example, fenced or with `>>>`.

Griffe, which reads the docstrings for mkdocstrings, knows the title `Examples:` alone. It would
take `Example:` for a box of prose, in which `>>>` begins a quotation.
"""

import re
from typing import Any

import griffe

SINGULAR = re.compile(r"^([ \t]*)Example:[ \t]*$", re.MULTILINE)


class Examples(griffe.Extension):
    """Gives the section the title that griffe knows."""

    def on_object(self, *, obj: griffe.Object, loader: griffe.GriffeLoader, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = SINGULAR.sub(r"\1Examples:", obj.docstring.value)
