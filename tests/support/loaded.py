"""Most of the product, loaded: what the process does from which `tests/support/processes.py` forks.

It must not start a thread, which no fork takes along.
"""

import gc

from temporalio.worker._worker import load_default_build_id

import starter
import web.__main__
import worker

__all__ = ["starter", "web", "worker"]

load_default_build_id()  # which a worker's first start does, from the code of all modules; half a second
gc.collect()
gc.freeze()  # forks need not look at what is here
