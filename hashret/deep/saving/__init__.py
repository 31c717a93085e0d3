"""Files: what a training is continued from, and what an encoder is read from.

`storage` writes tensors and JSON in one file and reads them, `states` collects the tensors of
modules and puts them back. Above these `checkpoint` keeps a training, `encoder` a fitted encoder;
`export` writes one for other runtimes.
"""
