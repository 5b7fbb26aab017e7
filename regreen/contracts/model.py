"""One question to a language model, and its answer."""

from pydantic import Field

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract


class ModelCheck(Contract):
    """The question whether a model is configured, before work is spent on a prompt."""

    stage: str


class ModelExchange(Contract):
    """A reply that could not be used, and what the model is told about it."""

    reply: str
    feedback: str


class ModelRequest(Contract):
    """What the model is asked."""

    instructions: str
    """What to do and how to answer. Ours, never text from a repository."""
    prompt: ArtifactRef
    """UTF-8 text of the case at hand."""
    previous: ModelExchange | None = None
    """The malformed reply to the same prompt, when this is its one retry."""


class ModelReply(Contract):
    """What the model answered, and what it cost."""

    text: str
    """At most 100,000 bytes of UTF-8."""
    model: str
    """The model that answered, as the service names it."""
    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    cost_usd: float = Field(default=0.0, ge=0)
    """By list price; 0 for a model without a known price."""
    malformed: str = ""
    """Why the text cannot be used whatever it says, in one line; empty when it can."""
