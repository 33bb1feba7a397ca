"""A hint -> the item read -> the mirror -> the difference, announced."""
