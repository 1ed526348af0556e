"""What every test shares."""

from hypothesis import HealthCheck, settings

# A shared machine is slow at times: an example may take long, and what failed must be repeatable from the output.
settings.register_profile(
    "ci", deadline=None, derandomize=False, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci")
