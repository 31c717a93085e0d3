"""Run by every Python that starts with this folder on its PYTHONPATH: a test's subprocess."""

import no_network

no_network.install()
