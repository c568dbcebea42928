"""What all tests share: how Hypothesis searches, compiled modules, and the Host of Starlette's test client."""

import os
import sys

from hypothesis import HealthCheck, settings

# The gate must answer the same on a slow, busy machine as on a fast one: no deadline, the same examples every time.
settings.register_profile("gate", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
# `pytest --hypothesis-profile explore` looks elsewhere each time, and longer.
settings.register_profile("explore", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gate")

# Where it is set, every process that a test starts compiles all that it imports: 20 s for TensorFlow, in place of 5.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

os.environ["ALMANAC_ALLOWED_HOSTS"] = "testserver"
