"""The command line: main.py and one file per group of commands."""
