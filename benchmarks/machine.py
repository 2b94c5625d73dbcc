"""What measurements were made on."""

import os
import platform
from pathlib import Path


def machine() -> str:
    """The processor's name, how many there are and this process may use, and the widest vectors they have."""
    told = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in told.splitlines() if line.startswith("model name")),
                 platform.machine())
    usable, present = len(os.sched_getaffinity(0)), os.cpu_count()
    processors = f"{present} processors" if usable == present else f"{usable} of {present} processors"
    return f"{model}, {processors}, {'AVX-512' if ' avx512f' in told else 'AVX2' if ' avx2' in told else 'SSE'}"
