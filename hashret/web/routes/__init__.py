"""What is answered at which address.

================== =============================================================
``page.py``        the page itself, its files, and logging in
``searching.py``   ``/api/search``: by id, by a picture that is sent, by words
``images.py``      ``/api/images``: what is known of images, and their pictures
``duplicates.py``  ``/api/groups``, ``/api/decisions``
``bulk.py``        ``/api/bulk``
``overview.py``    ``/api/info``, ``/api/skipped``, ``/api/folders``, ``/api/map``
``health.py``      ``/health``, ``/metrics``
================== =============================================================
"""

from __future__ import annotations

from . import bulk, duplicates, health, images, overview, page, searching

__all__ = ["ROUTERS"]

ROUTERS = tuple(
    part.router for part in (page, searching, images, duplicates, bulk, overview, health)
)
