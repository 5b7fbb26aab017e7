"""What a million tokens cost: as the settings say, or by OpenAI's list prices."""

import re

from regreen.contracts.model import Price
from regreen.settings import Settings

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


def price_of(model: str, settings: Settings) -> Price | None:
    """The model's price; None when neither the settings nor the list know it.

    A dated snapshot (`gpt-5-2025-08-07`) costs what its model costs.
    """
    if settings.openai_input_usd is not None and settings.openai_output_usd is not None:
        return Price(input_usd=settings.openai_input_usd, output_usd=settings.openai_output_usd)
    listed = _PRICES.get(_SNAPSHOT.sub("", model))
    return None if listed is None else Price(input_usd=listed[0], output_usd=listed[1])
