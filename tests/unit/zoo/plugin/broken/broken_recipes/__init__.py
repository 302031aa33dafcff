"""A plug-in that needs something that is not there."""

import a_package_that_nobody_has  # noqa: F401
