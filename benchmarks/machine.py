"""What measurements were made on."""

import os
import platform
from pathlib import Path


def machine() -> str:
    """The processor's name, how many there are and this process may use, and the widest vectors they have."""
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    flags = Path("/proc/cpuinfo").read_text()
    usable, present = len(os.sched_getaffinity(0)), os.cpu_count()
    processors = f"{present} processors" if usable == present else f"{usable} of {present} processors"
    return f"{model}, {processors}, {'AVX-512' if ' avx512f' in flags else 'AVX2' if ' avx2' in flags else 'SSE'}"
