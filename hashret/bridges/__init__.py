"""Bridges: codes to and from other systems, each in a file of its own, all with one protocol.

================= ===================================================================
``stored.py``     :class:`Stored`, what is read: codes, ids and their length in bits
``lines.py``      files of a JSON object a line
``arrow.py``      codes as columns of Arrow
``pgvector.py``   PostgreSQL: ``bit(n)``, by ``COPY`` in its binary format
``parquet.py``    Parquet: a column of ids and one of codes
``faiss.py``      indexes of faiss, as files and as objects
``usearch.py``    indexes of usearch, as files and as objects
``lancedb.py``    a table of LanceDB
``milvus.py``     JSON lines for Milvus's import
``vespa.py``      JSON lines for ``vespa feed``
``opensearch.py`` bodies of OpenSearch's bulk requests
================= ===================================================================

``write(target, codes, bits, ids=None)`` writes codes, ``read(source, bits=None)`` gives them back
as :class:`Stored`, so that ``write(target, *read(source))`` carries them over. A file is a path, of
which there is the old file or the whole new one, or is open in binary. Where a system has to be
told what comes, ``schema(bits)`` says how.

*Order of bits.* Everything here keeps the bytes of a code as they are: bit 0 is the most
significant of the first byte, and the leftmost of PostgreSQL's ``bit(n)``.

*Padding.* Systems that know whole bytes only get the unused bits of the last byte too, its least
significant ones, and they are zero: Hamming distances, and Jaccard's, are those of the codes. Such
a system does not know how many bits are used: tell `read`. Codes with a bit set among the unused
are refused.

Examples
--------
>>> import io
>>> import numpy as np
>>> from hashret.bridges import milvus
>>> file = io.BytesIO()
>>> milvus.write(file, np.array([[0xFF, 0xF0]], np.uint8), bits=12, ids=[7])
>>> file.getvalue()
b'{"id": 7, "code": [255, 240]}\\n'
>>> milvus.read(io.BytesIO(file.getvalue()), bits=12)
Stored(codes=array([[255, 240]], dtype=uint8), bits=12, ids=array([7]))
"""

from __future__ import annotations

from .stored import Stored, dimension

__all__ = ["Stored", "dimension"]
