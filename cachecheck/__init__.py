"""cachecheck: a cache consistency checker for multi-node Django deployments."""

__version__ = "0.1.0"
