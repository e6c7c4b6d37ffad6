"""Fixtures for everyone."""

from hypothesis import settings

pytest_plugins = ["labelstudio_server", "postgres_server"]

# A deadline is a timed assertion: on a busy machine it fails by chance.
settings.register_profile("biasloop", deadline=None)
settings.load_profile("biasloop")
