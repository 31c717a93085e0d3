"""Names of the arrays that several modules hand to each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Bools", "Codes", "Distances", "Floats", "Ids", "Images"]

# Packed codes, shape (n, ceil(bits / 8)).
Codes = npt.NDArray[np.uint8]
# Hamming distances, 2147483647 where a neighbour is missing.
Distances = npt.NDArray[np.int32]
# Ids, -1 where a neighbour is missing.
Ids = npt.NDArray[np.int64]
# Pictures of one size, shape (n, height, width) or (n, height, width, 3).
Images = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
