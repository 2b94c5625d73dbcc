"""The side of a measurement that works: one library, one case, in a process of its own.

Talks with run.py over its standard input and output: says "ready" when it is warm, then answers each line with the seconds
that one measurement took.
"""

import sys
import time
from collections.abc import Callable


def serve(work: Callable[[], object], warmup: int = 2) -> None:
    """Measures `work` each time that it is asked to."""
    for _ in range(warmup):
        work()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        work()
        print(time.perf_counter() - start, flush=True)


def serve_seconds(work: Callable[[], float], warmup: int = 2) -> None:
    """The same for work that knows itself how long it took."""
    for _ in range(warmup):
        work()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(work(), flush=True)
