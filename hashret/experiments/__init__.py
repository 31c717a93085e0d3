"""What the commands do: the demo, the reproduced study, and the galleries they write.

``cli.py`` parses and prints; everything it calls stands here.

- ``demo``: train, index, search and show, on the packaged sample.
- ``fashion_mnist``: the study's tables on the whole data set.
- ``retrieval``: codes in, scores and times out; shared by both.
- ``gallery``, ``contact_sheet``: retrieved images as a web page and as a picture.
- ``info``: what is installed.
"""
