"""The index: codes with ids, searched by Hamming distance."""

from .explain import Explanation
from .index import Index

__all__ = ["Explanation", "Index"]
