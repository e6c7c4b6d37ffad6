"""Strategies: which items people are asked about next. docs/strategies.md says which for what."""

from biasloop.plugins.registry import Kind, register

_HERE = "biasloop.plugins.strategies"

register(Kind.STRATEGY, "auto", f"{_HERE}.auto:Auto")
register(Kind.STRATEGY, "random", f"{_HERE}.small_text:Random")
register(Kind.STRATEGY, "breaking_ties", f"{_HERE}.uncertainty:BreakingTies")
register(Kind.STRATEGY, "entropy", f"{_HERE}.uncertainty:Entropy")
register(Kind.STRATEGY, "margin_to_border", f"{_HERE}.uncertainty:MarginToBorder")
register(Kind.STRATEGY, "rarity", f"{_HERE}.uncertainty:Rarity")
register(Kind.STRATEGY, "bald", f"{_HERE}.uncertainty:Bald")
register(Kind.STRATEGY, "fisher", f"{_HERE}.fisher:Fisher")
register(Kind.STRATEGY, "coreset", f"{_HERE}.coreset:Coreset")
register(Kind.STRATEGY, "embedding_kmeans", f"{_HERE}.kmeans:EmbeddingKMeans")
register(Kind.STRATEGY, "contrastive", f"{_HERE}.contrastive:Contrastive")
register(
    Kind.STRATEGY,
    "subsample",
    f"{_HERE}.combined:Subsample",
    f"{_HERE}.combined:SubsampleOptions",
)
register(
    Kind.STRATEGY,
    "softrank",
    f"{_HERE}.combined:SoftRank",
    f"{_HERE}.combined:SoftRankOptions",
)
register(
    Kind.STRATEGY,
    "cluster_diverse",
    f"{_HERE}.combined:ClusterDiverse",
    f"{_HERE}.combined:ClusterDiverseOptions",
)
