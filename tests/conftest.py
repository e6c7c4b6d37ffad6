"""Fixtures for everyone."""

pytest_plugins = ["labelstudio_server"]
