"""Losses that learn from labels.

Of pairs that share a label: `dsh`, `dpsh`, `hashnet`. Of each class's own codeword (`centres`):
`csq`, `dpn`, `orthohash`. Of a classifier: `greedyhash`, and `classifier`, the control. Of codes
that are found first (`factors`): `cnnh`.
"""
