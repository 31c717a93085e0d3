"""Image files of any origin: which format they are of, and their pixels, decoded with care.

Data sets and collections both read through here; collections by ``reading``, in worker processes.
"""
