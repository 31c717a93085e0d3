"""The model: from images or vectors to the outputs of the hash layer, whatever it learns from.

`networks` and `resnet` hold the networks by name, `hash_model` what is around a network, `inputs`
what a model takes, `encoding` how it is run over that. A network of the caller's is copied
(`copying`) and tried before it is trained (`trial`). What torch has one of for the process is in
`devices` and `isolation`.
"""
