"""A small web shop: prices, discounts, stock and checkout over HTTP."""
