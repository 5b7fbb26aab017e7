"""List prices of OpenAI models, to put a cost on a reply's tokens."""

import re

# USD per million tokens, input and output, as OpenAI publishes them on its pricing page.
_PRICES = {
    "gpt-5.1": (1.25, 10.0),
    "gpt-5.1-codex": (1.25, 10.0),
    "gpt-5": (1.25, 10.0),
    "gpt-5-codex": (1.25, 10.0),
    "gpt-5-mini": (0.25, 2.0),
    "gpt-5-nano": (0.05, 0.40),
    "gpt-5-pro": (15.0, 120.0),
    "gpt-4.1": (2.0, 8.0),
    "gpt-4.1-mini": (0.40, 1.60),
    "gpt-4.1-nano": (0.10, 0.40),
    "gpt-4o": (2.50, 10.0),
    "gpt-4o-mini": (0.15, 0.60),
    "o3": (2.0, 8.0),
    "o3-mini": (1.10, 4.40),
    "o4-mini": (1.10, 4.40),
}
_SNAPSHOT = re.compile(r"-(?:latest|\d{4}-\d{2}-\d{2})$")


def cost_usd(model: str, input_tokens: int, output_tokens: int) -> float:
    """What a reply costs at list price, without discounts; 0 for a model that is not listed.

    A dated snapshot (`gpt-5-2025-08-07`) costs what its model costs.
    """
    price_in, price_out = _PRICES.get(_SNAPSHOT.sub("", model), (0.0, 0.0))
    return (input_tokens * price_in + output_tokens * price_out) / 1_000_000
