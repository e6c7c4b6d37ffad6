"""Fixtures for everyone."""

from hypothesis import settings

pytest_plugins = [
    "support.labelstudio_server",
    "support.postgres_server",
    "support.workspaces",
    "support.llm_fixtures",
    "support.served_fixtures",
]

# A deadline is a timed assertion: on a busy machine it fails by chance.
settings.register_profile("biasloop", deadline=None)
settings.load_profile("biasloop")
