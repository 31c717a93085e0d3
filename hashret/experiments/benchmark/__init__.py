"""Methods beside each other on real data, a row a run in a file.

- ``harness``: measure the runs that a file lacks.
- ``suites``, ``methods``, ``training``: what can be compared, and how networks are trained.
- ``runs``: what is measured; ``inputs``: on what; ``measure``: one run; ``provenance``: by what.
- ``rows``: the file; ``tables`` and ``orders``: what is shown of it.
"""
