"""How long property tests look: enough examples to find what is wrong, little enough to run at every change."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "curation", max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("curation")
