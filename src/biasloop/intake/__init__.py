"""Imports files: reads their rows and turns them into items in the pool."""
