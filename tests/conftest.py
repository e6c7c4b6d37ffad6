"""Fixtures for everyone."""

pytest_plugins = ["labelstudio_server", "postgres_server"]
