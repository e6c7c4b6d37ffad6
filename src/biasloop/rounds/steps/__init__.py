"""The trip of an item: expand, score, select, push, pull, aggregate, train, evaluate, close.

Each step takes what it needs and returns Done or Wait. It may repeat whatever it does outside the
ledger, and never writes to the ledger: the loop commits what it returns.
"""
