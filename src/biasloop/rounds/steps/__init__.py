"""The steps of a round: expand, score, select, push, pull, aggregate, train, evaluate, close.

Each takes what it needs as arguments and returns Done or Wait. Everything that a step does outside
the ledger can be repeated. It never writes to the ledger: the loop commits what it returns.
"""
