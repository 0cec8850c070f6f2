"""Exit status 0 if this user may open a perf event of the kind that reqprof uses."""

import ctypes
import os
import struct
import sys

PERF_EVENT_OPEN = 298  # x86-64
PERF_TYPE_SOFTWARE, CPU_CLOCK = 1, 0
EXCLUDE_KERNEL, EXCLUDE_HV, DISABLED = 1 << 5, 1 << 6, 1

attr = struct.pack("=IIQQQQQ", PERF_TYPE_SOFTWARE, 128, CPU_CLOCK, 1000000, 0, 0,
                   DISABLED | EXCLUDE_KERNEL | EXCLUDE_HV).ljust(128, b"\0")
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.syscall(PERF_EVENT_OPEN, ctypes.create_string_buffer(attr, 128), 0, -1, -1, 8)
if fd < 0:
    print(os.strerror(ctypes.get_errno()))
    sys.exit(1)
