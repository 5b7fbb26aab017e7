"""One question to a language model, and its answer."""

from pydantic import Field

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract


class ModelCheck(Contract):
    """The question whether a model is configured, before work is spent on a prompt."""

    stage: str


class Price(Contract):
    """USD for a million tokens, without discounts."""

    input_usd: float = Field(ge=0)
    output_usd: float = Field(ge=0)

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """What so many tokens cost, in USD."""
        return (input_tokens * self.input_usd + output_tokens * self.output_usd) / 1_000_000


class ModelTerms(Contract):
    """The configured model, and its price when that is known."""

    model: str
    price: Price | None = None


class ModelExchange(Contract):
    """A reply that could not be used, and what the model is told about it."""

    reply: ArtifactRef
    feedback: str


class ModelRequest(Contract):
    """What the model is asked."""

    instructions: str
    """What to do and how to answer. Ours, never text from a repository."""
    prompt: ArtifactRef
    """UTF-8 text of the case at hand."""
    previous: ModelExchange | None = None
    """The malformed reply to the same prompt, when this is its one retry."""
    max_output_tokens: int = Field(gt=0)
    """What the reply may cost at most, the model's own thinking included."""
    name: str
    """The reply's file name."""


class ModelReply(Contract):
    """What the model answered, and what it cost."""

    reply: ArtifactRef
    """At most 100,000 bytes of UTF-8 text."""
    model: str
    """The model that answered, as the service names it."""
    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    estimated: bool = False
    """The service gave no usable count of the tokens, and these are estimates."""
    cost_usd: float = Field(default=0.0, ge=0)
    price_known: bool = True
    """False: the cost is counted as 0."""
    tries: int = Field(default=1, ge=1)
    """How often the service was asked until it answered."""
    malformed: str = ""
    """Why the text cannot be used whatever it says, in one line; empty when it can."""
