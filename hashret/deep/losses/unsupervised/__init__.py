"""Losses that learn without labels.

Codes keep the cosines of feature vectors (`cosines`): `bihalf`, `greedyhash_unsupervised`. Codes
keep neighbours and features: `bgan`. Two views of an image share a code: `cibhash`.
"""
