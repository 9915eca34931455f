"""Bedrock Converse prompts: Claude framed as on its own API, models of other makers by what is visible.

The recorded bills of Claude behind Converse follow Anthropic's rules, but are too few to call any exact: what
they showed stands under this API in framed_evidence.csv. Of Nova, Llama and the rest no framing is known.
"""

from __future__ import annotations

from collections.abc import Sequence

from collector.counting import anthropic_messages, framed_evidence
from collector.counting.tally import Tally
from collector.segments import Labelled
from ledger.types import Prompt, Request

output = anthropic_messages.output
trust = framed_evidence.claude


def fill(request: Request, prompt: Prompt, labelled: Sequence[Labelled], tally: Tally) -> None:
    """Lay a prompt's tokens on its segments."""
    if anthropic_messages.is_claude(request):
        anthropic_messages.fill(request, prompt, labelled, tally)
    else:
        anthropic_messages.fill_with(anthropic_messages.UNFRAMED, request, prompt, labelled, tally)
