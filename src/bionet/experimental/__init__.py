"""What is tried out: it works and is tested, but its names may still change.

`bionet.experimental.hybrid` corrects a cheap, biased direction by evolution strategies.
"""
