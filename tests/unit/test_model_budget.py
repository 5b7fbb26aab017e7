"""What a request to the model may cost."""

import pytest

from regreen.contracts.healing import Attempt, HealBudget
from regreen.contracts.model import Price
from workflows.model_budget import Allowance, what_is_left

PRICE = Price(input_usd=1, output_usd=10)
FREE = Price(input_usd=0, output_usd=0)


@pytest.mark.parametrize(
    ("left", "price", "tokens"),
    [
        (Allowance(100_000, 5), PRICE, 16_000),
        (Allowance(7_000, 5), PRICE, 5_000),
        (Allowance(3_000, 5), PRICE, 1_000),
        (Allowance(2_999, 5), PRICE, 0),
        (Allowance(-1, 5), PRICE, 0),
        (Allowance(100_000, 0.0225001), PRICE, 2_050),
        (Allowance(100_000, 0.01), PRICE, 0),
        (Allowance(100_000, 0), PRICE, 0),
        (Allowance(100_000, 0), FREE, 0),
        (Allowance(100_000, 0.01), FREE, 16_000),
        (Allowance(100_000, 0), None, 16_000),
        (Allowance(100_000, 0.001), Price(input_usd=1, output_usd=0), 0),
    ],
)
def test_a_reply_is_as_long_as_tokens_and_dollars_allow(
    left: Allowance, price: Price | None, tokens: int
) -> None:
    assert left.output_tokens(2_000, price, 16_000) == tokens


def test_a_reply_that_is_meant_to_be_short_may_be_asked_for() -> None:
    assert Allowance(2_100, 5).output_tokens(2_000, PRICE, 100) == 100


def test_parts_are_together_no_more_than_the_whole() -> None:
    part = Allowance(1_000, 1.0).part(3)
    assert (part.tokens, part.cost_usd * 3) == (333, pytest.approx(1.0))


def test_what_attempts_cost_is_gone() -> None:
    spent = {"healer": "openai", "verdict": "tests_red", "reason": "", "tokens": 300}
    attempts = [Attempt.model_validate(spent | {"number": n, "cost_usd": 0.5}) for n in (1, 2)]
    left = what_is_left(HealBudget(tokens=1_000, cost_usd=2.0), attempts)
    assert (left.tokens, left.cost_usd) == (400, 1.0)
