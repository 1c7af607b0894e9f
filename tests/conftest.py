"""Settings of all tests."""

from hypothesis import HealthCheck, settings

# a loaded machine, or a kernel that is compiled first, is not a failure
settings.register_profile("topograph", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("topograph")
