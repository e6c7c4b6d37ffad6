"""Texts by language models: what is requested, how answers are judged, and what is refused."""
