"""A small real Django site, as the nodes of a test fleet run it."""
