"""The request that two logged bodies tell of by themselves, for formats that log facts around them."""

from __future__ import annotations

from collector import apis
from collector.formats import bodies, fields
from collector.formats.bodies import Call
from ledger.types import Request, Status


def read(request: object, response: object, url: str | None = None) -> Call:
    """Read both bodies as the API of the URL, else as their shape tells; ValueError where one cannot be."""
    asked, answered = bodies.request_body(request), bodies.response_body(response)
    path = apis.split_url(url)[1] if url else None
    return bodies.read_call(apis.detect(path, asked, answered), asked, answered)


def request_of(call: Call, url: str | None = None) -> Request:
    """Build what the bodies say; `dataclasses.replace` adds what the record around them knows better."""
    path = apis.split_url(url)[1] if url else None
    model = fields.name(call.answered.model or call.asked.model or apis.path_model(path), "model")
    return Request(
        api=call.api,
        model=model,
        provider=apis.provider(url, call.api, model),
        operation=apis.operation(call.api, path),
        response_id=fields.name(call.answered.response_id, "the response's id"),
        ts=call.answered.created,
        service_tier=call.answered.service_tier or call.asked.service_tier,
        status=Status.ERROR if call.error else Status.OK,
        error_type=call.error.kind if call.error else None,
        streamed=call.streamed,
        end_user=call.asked.end_user,
        usage=call.usage,
        usage_json=call.usage_json,
        prompt=call.prompt,
        answer=call.answer,
        max_output_tokens=call.asked.max_output_tokens,
        temperature=call.asked.temperature,
    )
