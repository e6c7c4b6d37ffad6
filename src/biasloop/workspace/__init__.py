"""The folder of one campaign."""
