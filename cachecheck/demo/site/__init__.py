"""The site of the demo: a small shop, as each of its nodes runs it."""
