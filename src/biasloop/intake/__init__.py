"""From files to items in the pool."""
