"""Azure API Management's logs of language models: one call in rows of 32 KB, the gateway's own row beside."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum

import msgspec

from collector.apis import openai_chat, token_buckets
from collector.apis.json_shapes import EMPTY, Json, integer, mapping, mappings, sequence, text
from collector.apis.openai_completions import input_messages
from collector.decoding import decoded
from collector.formats import attributes, fields, times
from collector.formats.format import Facts, Follow
from collector.formats.typed import typed
from collector.formats.understood import Understood, words
from ledger.types import Answer, Api, Prompt, Request, Status, Usage

# Of the items, not of the rows.
KEYS = ("records",)
FACTS = Facts(
    cache="inside the input and not told: all input is booked as uncached, so the cost is an upper bound",
    identity="CorrelationId; its rows are put together by SequenceNumber",
    times="TimeGenerated, or time, of the first row",
    unknown=(
        "cached, reasoning and audio tokens, service tier",
        "tool definitions, so that every count is partial; messages where logging them is off",
        "the tenant: TenantId is the Log Analytics workspace's and never used",
        "calls whose logging failed or was sampled away",
    ),
    versions=("ApiManagementGatewayLlmLog of 2025",),
)


class Kind(StrEnum):
    """Which of the two logs a row is of."""

    CALL = "call"
    GATEWAY = "gateway"


_KINDS = {
    "apimanagementgatewayllmlog": Kind.CALL,
    "gatewayllmlogs": Kind.CALL,
    "apimanagementgatewaylogs": Kind.GATEWAY,
    "gatewaylogs": Kind.GATEWAY,
}
_CALL_MARKS = frozenset({"prompttokens", "sequencenumber"})
_GATEWAY_MARKS = frozenset({"backendresponsecode", "apimsubscriptionid", "isrequestsuccess"})
# Under these names whatever the export calls them.
_ABOUT = {
    name.lower(): name
    for name in (
        *(
            "ApimSubscriptionId",
            "ApiId",
            "ProductId",
            "OperationId",
            "OperationName",
            "ApiRevision",
            "UserId",
        ),
        *("DeploymentName", "ApiVersion", "Region", "WorkspaceId", "BackendId"),
    )
}
_MOST_OPEN = 4_000


class Row(msgspec.Struct):
    """What is booked of a row, its names in lower case."""

    correlationid: str
    timegenerated: str | int | float | None = None
    time: str | int | float | None = None
    requestid: str | None = None
    modelname: str | None = None
    operationname: object = None
    isstreamcompletion: object = None


def _names(item: Json) -> Iterator[str]:
    """Those of the row that came last, in lower case."""
    for row in mappings(item.get("records")):
        yield from _lowered(row)


UNDERSTANDS = Understood(
    frozenset((*_ABOUT, *Row.__struct_encode_fields__, *_CALL_MARKS, *_GATEWAY_MARKS))
    | words(
        """
    _billedsize _isbillable _resourceid _subscriptionid _timereceived apirevision apisubscriptionid
    backendmethod backendprotocol backendrequestbody backendrequestheaders backendresponsebody
    backendresponseheaders backendtime backendurl cache cachetime calleripaddress category
    clientprotocol clienttime clienttlsversion completiontokens deploymentversion durationms errors
    eventtime identity ismastertrace istraceallowed istraceexpired istracerequested lasterror
    lasterrorelapsed lasterrormessage lasterrorreason lasterrorscope lasterrorsection lasterrorsource
    level location logcategory method operationversion requestbody requestheaders requestmessages
    requestsize resourceid responsebody responsecode responseheaders responsemessages responsesize
    resultdescription resultsignature resulttype sourcesystem tenantid totaltime totaltokens
    tracerecords truncated type url
    """
    ),
    _names,
)


def matches(record: Json) -> bool:
    """Tell a row by its table or category, else by its columns; a blob of rows by its rows."""
    return any(_kind(_lowered(row)) is not None for row in _rows(record))


def _rows(record: Json) -> Iterable[Json]:
    """The rows of a blob of diagnostic settings, or the row."""
    return mappings(record["records"]) if isinstance(record.get("records"), list) else (record,)


def _lowered(row: Json) -> Json:
    """A row with all names in lower case, what stands in its `properties` beside the rest."""
    inner = mapping(row.get("properties"))
    return {str(key).lower(): value for key, value in {**row, **inner}.items() if key != "properties"}


def _kind(row: Json) -> Kind | None:
    named = _KINDS.get(text(row.get("type")).lower()) or _KINDS.get(text(row.get("category")).lower())
    if named or "correlationid" not in row:
        return named
    if not _CALL_MARKS.isdisjoint(row):
        return Kind.CALL
    return None if _GATEWAY_MARKS.isdisjoint(row) else Kind.GATEWAY


def follow() -> Follow:
    """Begin a file: each row of a call comes with those of the same call before it, the first among them.

    Rows whose first one is in none of the file come at its end, as the part of a call that they are, and
    so do those whose first one did not come for long.
    """
    calls: OrderedDict[str, list[Json]] = OrderedDict()

    def items(record: Json | None) -> Iterator[Json]:
        if record is None:
            yield from _loose(calls.values())
            return
        for row in _rows(record):
            known = _lowered(row)
            kind = _kind(known)
            if kind is Kind.GATEWAY:
                yield {"records": [row], "gateway": True}
            elif kind is Kind.CALL:
                rows = _together(calls, text(known.get("correlationid")), row)
                yield from () if _number(rows[0]) else [{"records": rows}]
        while len(calls) > _MOST_OPEN:
            yield from _loose([calls.popitem(last=False)[1]])

    return items


def _loose(calls: Iterable[list[Json]]) -> Iterator[Json]:
    """Rows that have no first one."""
    return ({"records": rows} for rows in calls if _number(rows[0]))


def _together(calls: OrderedDict[str, list[Json]], known_by: str, row: Json) -> list[Json]:
    """The rows of a call so far, in the order of their numbers; one that is exported again says nothing."""
    if not known_by:
        return [row]
    found = calls.setdefault(known_by, [])
    calls.move_to_end(known_by)
    if row not in found:
        found.append(row)
        found.sort(key=_number)
    return list(found)


def _number(row: Json) -> int:
    return integer(_lowered(row).get("sequencenumber")) or 0


def read(item: Json) -> Request:
    """Read one call, or the gateway's row as the part of one; ValueError names what cannot be booked."""
    rows = [_lowered(row) for row in mappings(item.get("records"))] or [EMPTY]
    return _gateway(rows[0]) if item.get("gateway") is True else _call(rows)


def _call(rows: list[Json]) -> Request:
    # What is told once stands in any of the rows, mostly in the first.
    known = {key: row[key] for row in reversed(rows) for key in row if row[key] is not None}
    row = typed(known, Row)
    api = Api.OPENAI_EMBEDDINGS if "embed" in text(row.operationname).lower() else Api.OPENAI_CHAT
    usage = _usage(known)
    return Request(
        api=api,
        model=fields.name(row.modelname, "ModelName") or fields.text_field(known, "deploymentname"),
        provider="azure",
        operation="embedding" if api is Api.OPENAI_EMBEDDINGS else "chat",
        response_id=fields.name(row.requestid, "RequestId"),
        # The gateway makes these ids itself: however short, one is never a placeholder.
        call_id=f"correlation:{fields.name(row.correlationid, 'CorrelationId')}",
        # Rows of one call have one time: that of a part would pass for its beginning.
        ts=None if _number(rows[0]) else _time(row),
        streamed=row.isstreamcompletion if isinstance(row.isstreamcompletion, bool) else None,
        attributes=_about(known),
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
        part=_number(rows[0]) > 0,
        prompt=_prompt(api, [each.get("requestmessages") for each in rows]),
        answer=_answer([each.get("responsemessages") for each in rows]),
        span=fields.name(row.correlationid, "CorrelationId"),
    )


def _gateway(known: Json) -> Request:
    row = typed(known, Row)
    http_status = fields.http_status(known, "backendresponsecode", "responsecode")
    failed = (http_status or 0) >= 400 or known.get("isrequestsuccess") is False
    return Request(
        api=Api.OPENAI_CHAT,
        model=None,
        provider="azure",
        ts=_time(row),
        latency_ms=times.first_milliseconds(known, "totaltime", "durationms", "backendtime"),
        status=Status.ERROR if failed else Status.OK,
        http_status=http_status,
        attributes=_about(known),
        span=fields.name(row.correlationid, "CorrelationId"),
        part=True,
    )


def _time(row: Row) -> datetime | None:
    return times.moment(row.timegenerated, "TimeGenerated") or times.moment(row.time, "time")


def _about(known: Json) -> dict[str, str]:
    return attributes.flatten({name: known[key] for key, name in _ABOUT.items() if key in known})


def _usage(known: Json) -> token_buckets.Reported | None:
    """Prompt and completion; zeros say that the gateway knew nothing (a stream, a failure)."""
    found = {name: known.get(name.lower()) for name in ("PromptTokens", "CompletionTokens", "TotalTokens")}
    given, said, total = (token_buckets.tokens(found, name) for name in found)
    if given is None or not (given or said):
        return None
    if total and total != given + (said or 0):
        raise ValueError(f"usage.TotalTokens is {total}, but prompt and completion are {given + (said or 0)}")
    return token_buckets.reported(found, Usage(input_tokens=given, output_tokens=said))


def _prompt(api: Api, logged: list[object]) -> Prompt | None:
    messages = _messages(logged)
    if not messages:
        return None
    if api is Api.OPENAI_EMBEDDINGS:
        given = [text(message.get("content")) for message in messages]
        return Prompt(messages=input_messages(given, "input"))
    return Prompt(messages=openai_chat.prompt({"messages": messages}).messages, hidden=("tools",))


def _answer(logged: list[object]) -> Answer | None:
    messages = _messages(logged)
    choices = [{"index": index, "message": message} for index, message in enumerate(messages)]
    return openai_chat.answer({"choices": choices}) if choices else None


def _messages(logged: list[object]) -> list[Json]:
    """The messages of all rows; one that was cut at the end of a row is put together again."""
    if all(isinstance(piece, str) for piece in logged) and len(logged) > 1:
        whole = _decoded("".join(map(text, logged)))
        if whole:
            return whole
    pieces = [_decoded(piece) for piece in logged]
    found: list[Json] = []
    for piece in filter(None, pieces):
        is_cut = bool(found) and _is_cut(found[-1], piece[0])
        found = [*found[:-1], _joined(found[-1], piece[0]), *piece[1:]] if is_cut else [*found, *piece]
    return found


def _decoded(logged: object) -> list[Json]:
    if isinstance(logged, str):
        try:
            logged = decoded(logged.encode("utf-8", "replace"))
        except ValueError:
            return []
    return [mapping(logged)] if isinstance(logged, dict) else list(mappings(sequence(logged)))


def _is_cut(one: Json, other: Json) -> bool:
    said = isinstance(one.get("content"), str) and isinstance(other.get("content"), str)
    return said and one.get("role") == other.get("role")


def _joined(one: Json, other: Json) -> Json:
    return {**one, "content": text(one.get("content")) + text(other.get("content"))}
