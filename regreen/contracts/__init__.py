"""Contracts: the small, typed values that travel between workflows, activities and starters."""
