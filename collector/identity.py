"""What makes two records the same call: the provider's answer id, the log's call id, or their bytes."""

from __future__ import annotations

import hashlib
import re
import uuid

from collector.apis.json_shapes import Json, compact
from ledger.types import Request

# Ids as the providers really make them. A test server that answers "chatcmpl-123" to everything must
# not collapse into one call.
_REAL_IDS = re.compile(
    r"""
      chatcmpl-[A-Za-z0-9]{20,}            # OpenAI chat and most servers that speak it
    | chatcmpl-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}
    | cmpl-[A-Za-z0-9]{20,}                # OpenAI legacy completions
    | resp_[0-9a-f]{32,}                   # OpenAI Responses
    | msg_[A-Za-z0-9]{20,}                 # Anthropic
    | msg_(bdrk|vrtx)_[A-Za-z0-9]{20,}     # Anthropic on Bedrock and Vertex
    | gen-[0-9]{10}-[A-Za-z0-9]{20,}       # OpenRouter
    | (?=[^ ]*[0-9])(?=[^ ]*[a-z])(?=[^ ]*[A-Z])[A-Za-z0-9_-]{22,24}  # Gemini's responseId
    """,
    re.VERBOSE,
)
# What a log writes where it knows no id, and counters that begin again with every process. Calls that were
# taken for one by such an id would be spend that nobody sees; two rows of one call are at least seen.
_NO_IDS = re.compile(
    r"""
      .{0,7}                               # "", -, null, none, nil, 0, 17, unknown
    | 0*[0-9]{1,7}                         # a small number, padded
    | (.)\1*                               # xxxxxxxx, --------
    | [0-]* | [f-]*                        # the nil and the max UUID
    | \W*(undefined|placeholder|not[ _-]?(set|available)|\[object\ object\])\W*
    | (call|request|trace|correlation|x-request|litellm[_-]call)[_-]?id
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
# What Anthropic's API calls a request by in a header of its answer; its logs name calls by it too.
_REAL_REQUESTS = re.compile(r"req_[A-Za-z0-9]{20,}")
_DIGEST_BYTES = 16
_TOLD_BYTES = 2
_MOST_TOLD = 2**16 - 1


def digest(data: bytes) -> bytes:
    """The first 16 bytes of sha256: what a record, or an id, is known by."""
    return hashlib.sha256(data).digest()[:_DIGEST_BYTES]


def told_by(item: Json) -> bytes:
    """What a call is known by that several records of a file tell: those in its `records`, or all of it.

    The call as more records tell it is known by more, so that a file read before its end was written never
    outdoes the whole file where nothing else tells the two apart.
    """
    records = item.get("records")
    told = records if isinstance(records, list) else [item]
    try:
        text = "".join(map(compact, told)).encode("utf-8", "replace")
    except RecursionError:
        raise ValueError("the record is nested too deeply to be read") from None
    return min(len(told), _MOST_TOLD).to_bytes(_TOLD_BYTES, "big") + digest(text)[_TOLD_BYTES:]


def request_id(request: Request, source: str, record_digest: bytes) -> tuple[str, str]:
    """The ledger's id of the call as UUID text, and what it is made from: response, call or record.

    A gateway's cached answer repeats the id of the answer it repeats, so it goes by its own call id. Each
    attempt after the first is a call of its own under the same call id.
    """
    if request.response_id and not request.cache_hit and _REAL_IDS.fullmatch(request.response_id):
        return _uuid(f"response:{request.response_id}".encode()), "response"
    if request.call_id and not _NO_IDS.fullmatch(request.call_id.strip()):
        again = f":attempt {request.attempt}" if (request.attempt or 1) > 1 else ""
        return _uuid(f"call:{source}:{request.call_id}{again}".encode("utf-8", "replace")), "call"
    return _uuid(b"record:" + record_digest), "record"


def of_request(name: str) -> str | None:
    """What a call is known by where its log names it by the provider's id of the request."""
    return _uuid(f"request:{name}".encode()) if is_request(name) else None


def is_request(name: str | None) -> bool:
    """Whether this is an id of a request as Anthropic really makes them."""
    return name is not None and _REAL_REQUESTS.fullmatch(name) is not None


def _uuid(data: bytes) -> str:
    return str(uuid.UUID(bytes=digest(data)))
