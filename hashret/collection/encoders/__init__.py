"""Encoders of a collection, by name or from files.

=================== ==============================================================
``perceptual.py``   how an image looks: PDQ, 256 bits; for duplicates, also without its borders
``features.py``     what the fitted ones see of a picture, and how it is scaled
``photo.py``        features of a network: what a photograph shows
``hog.py``          features without a network
``onnx_file.py``    features or codes of a network of the user's choice
``fitted.py``       codes of features, fitted to a sample of the collection
``quantizers.py``   encoders of features, as files that say which
``saved.py``        encoders that hashret saved
``texts.py``        from texts to codes of images
``files.py``        what encoders keep in the store
``naming.py``       from a name, a file, or what a store keeps, to an encoder
=================== ==============================================================
"""

from __future__ import annotations

from .features import SIDE, squared
from .files import drop_unused, keep, kept, lost_files
from .fitted import SAMPLE, Unfitted, fit_quantizer, outgrown
from .naming import default_encoders, encoder_of, is_file, name_of, new_encoder
from .photo import PhotoFeatures
from .quantizers import load_quantizer, with_features
from .texts import TextEncoder, takes_text

__all__ = [
    "SAMPLE",
    "SIDE",
    "PhotoFeatures",
    "TextEncoder",
    "Unfitted",
    "default_encoders",
    "drop_unused",
    "encoder_of",
    "fit_quantizer",
    "is_file",
    "keep",
    "kept",
    "load_quantizer",
    "lost_files",
    "name_of",
    "new_encoder",
    "outgrown",
    "squared",
    "takes_text",
    "with_features",
]
