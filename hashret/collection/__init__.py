"""A folder of images kept searchable.

- ``catalogue``: the SQLite file that is the truth of a collection, its one writer and its readers
- ``content``: what a file holds, by the hash of its bytes
- ``reading``: image files, read in worker processes
- ``updating``: a catalogue comes to agree with the files
"""
