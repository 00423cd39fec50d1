"""Makes modules look as if they were not installed: those that CACHECHECK_TEST_LACKS names."""

import os
import sys

for name in os.environ.get("CACHECHECK_TEST_LACKS", "").split():
    sys.modules[name] = None  # which is how the import system remembers it
