"""Let a Python process sleep under libfaketime; on the path of such processes alone.

`time.sleep` waits for an absolute monotonic time, which libfaketime 0.9.10 takes for a wall
clock's: EINVAL at once. With the monotonic clock faked as well, `threading.Event.wait` hangs.
"""

import select
import time


def sleep(seconds: float) -> None:
    """Wait that many seconds, as `time.sleep` does."""
    select.select([], [], [], seconds)


time.sleep = sleep
