"""Training: `loop` reads from top to bottom what an epoch is.

It goes by `settings`, learns from `examples`, sees each image in random views (`augment`), scores
itself on images that are held out (`validation`), and tells how it is getting on (`progress`).
What it was, in short, is the `card` of the encoder.
"""
