"""How much a request to the model may cost, so that no reply passes what is left."""

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.healing import Attempt, HealBudget
    from regreen.contracts.model import ModelReply, Price

_SHORTEST_REPLY = 1_000


@dataclass(frozen=True)
class Allowance:
    """Tokens and dollars that may still be spent."""

    tokens: int
    cost_usd: float

    def part(self, of: int) -> "Allowance":
        """One of so many equal parts."""
        return Allowance(self.tokens // of, self.cost_usd / of)

    def without(self, reply: ModelReply) -> "Allowance":
        """What a reply leaves."""
        spent = reply.input_tokens + reply.output_tokens
        return Allowance(self.tokens - spent, self.cost_usd - reply.cost_usd)

    def output_tokens(self, input_tokens: int, price: Price | None, most: int) -> int:
        """How long the reply to a prompt may be, at most `most` tokens.

        0 when what is left does not reach for the prompt and a reply that is worth asking for.
        """
        room = self.tokens - input_tokens
        if price is not None:
            dollars = self.cost_usd - price.of(input_tokens, 0)
            if dollars <= 0:
                return 0
            if price.output_usd:
                room = min(room, int(dollars * 1_000_000 / price.output_usd))
        return min(most, room) if room >= min(_SHORTEST_REPLY, most) else 0


def what_is_left(budget: HealBudget, attempts: Sequence[Attempt]) -> Allowance:
    """What the attempts of a stage leave of its budget."""
    return Allowance(
        budget.tokens - sum(each.tokens for each in attempts),
        budget.cost_usd - sum(each.cost_usd for each in attempts),
    )


def too_little(left: Allowance, input_tokens: int) -> str:
    """Why no request is made, for a person."""
    return (
        f"the budget leaves {left.tokens:,} tokens and {left.cost_usd:.2f} USD, too little for a "
        f"prompt of about {input_tokens:,} tokens and its reply"
    )
