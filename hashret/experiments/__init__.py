"""What the commands do: the demo, the reproduced study, and the galleries they write.

``cli.py`` parses and prints; everything it calls stands here.

- ``demo``: train, index, search and show, on the packaged sample.
- ``fashion_mnist``: the study's tables on the whole data set.
- ``benchmark``: methods beside each other, a row a run; ``recipes`` holds the methods, ``plan``
  the runs, ``material`` the data, ``measure`` one run, ``ledger`` the file, ``scoreboard`` tables.
- ``retrieval``: codes in, scores and times out; shared by all.
- ``gallery``, ``contact_sheet``: retrieved images as a web page and as a picture.
- ``info``: what is installed.
"""
