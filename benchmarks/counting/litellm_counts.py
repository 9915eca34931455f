"""Count prompts with litellm.token_counter: JSON lines in, one object of counts by id out.

Runs in litellm's own environment, which knows nothing of tollbook.
"""

from __future__ import annotations

import json
import sys

import litellm


def counted(asked: dict[str, object]) -> int | None:
    try:
        return litellm.token_counter(
            model=asked["model"],
            messages=asked["messages"],
            tools=asked["tools"],
            tool_choice=asked["tool_choice"],
            use_default_image_token_count=True,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        print(f"{asked['id']}: {error!r}"[:200], file=sys.stderr)
        return None


def main() -> None:
    found = {}
    for line in sys.stdin:
        asked = json.loads(line)
        tokens = counted(asked)
        if tokens is not None:
            found[asked["id"]] = tokens
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
