"""Bedrock Converse: the recorded bills of Claude behind it follow Anthropic's rules.

They are too few to call any count exact: what they showed stands under this API in framed_evidence.csv. Of
Nova, Llama and the rest no framing is known; they are counted by what is visible, as other makers' models
behind Anthropic's own API are.
"""

from __future__ import annotations

from collector.counting import anthropic_messages, framed_evidence

fill = anthropic_messages.fill
output = anthropic_messages.output
trust = framed_evidence.claude
