"""A folder of images kept searchable: catalogue, scanning, updating.

- ``schema``, ``lock``, ``mounts``, ``catalogue``: the SQLite file that is the truth of a
  collection, its one writer and its readers
- ``exclusions``, ``roots``, ``scanning``: which files there are
- ``content``, ``outcomes``: what a file holds, by the hash of its bytes; what reading it came to
- ``comparing``, ``filing``, ``encoding``, ``update``: from a scan to a catalogue that agrees with
  it
- ``report``: what an update did
- ``forgetting``: the only way by which an image leaves the catalogue
"""
