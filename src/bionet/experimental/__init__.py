"""Parts that are tried out: they work and are tested, but their names may still change.

`bionet.experimental.hybrid` corrects a cheap, biased direction by evolution strategies.
"""
