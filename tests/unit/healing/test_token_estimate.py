"""The estimate of tokens: what OpenAI's o200k tokeniser says of a text, or more."""

import pytest

from activities.healing.token_estimate import estimate_tokens

# The second number was counted with o200k_base.
COUNTED = [
    ("", 0),
    ("def total(items):\n    return sum(item.price for item in items)\n", 14),
    ("E       AssertionError: assert 1.2 == 1.19", 15),
    ("2026-01-02T03:04:05.000123Z ERROR GET /api/v1/items/7919 -> 500", 29),
    ("The program adds the tax twice, once for each item.", 12),
    ("d2a84f4b8b650937ec8f73cd8be2c74add5a911ba64df27458ed8229da804a26", 37),
    ("修复失败的测试并确保所有输入都正确。", 12),
    ("Исправьте программу так, чтобы тесты прошли.", 12),
    ("😀🚀🧪🔥", 7),
]


@pytest.mark.parametrize(("text", "counted"), COUNTED)
def test_it_is_seldom_too_low_and_never_absurd(text: str, counted: int) -> None:
    assert counted * 0.9 <= estimate_tokens(text) <= counted * 3.5


def test_two_texts_together_are_no_more_than_each_alone() -> None:
    texts = [text for text, _ in COUNTED]
    for first in texts:
        for second in texts:
            together = estimate_tokens(first + second)
            assert together <= estimate_tokens(first) + estimate_tokens(second)


def test_broken_characters_count_too() -> None:
    assert estimate_tokens("\ud800") == 1
