"""What the commands do: the demo, benchmarks, the reproduced study, scores of any codes.

- ``scoring``: codes in, scores and times out; shared by all.
- ``benchmark``: methods beside each other, a row a run in a file.
- ``study``: a benchmark with published figures: LSH against DSH on Fashion-MNIST.
- ``gallery``: retrieved images as a web page and as a picture.
- ``demo``: train, index, search and show, on the packaged sample.
- ``evaluate``: scores and pictures of anybody's codes.
- ``steps``: how a command is getting on; ``info``: what is installed.
"""
