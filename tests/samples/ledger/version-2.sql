-- The ledger, version 2. A change here needs a file in migrations/ that brings older ledgers to it.
-- Times are UTC TIMESTAMPs. Money is DECIMAL(18,12) a request; sums of it are DECIMAL(38,12).
-- A NULL dimension is Unattributed, a NULL cost is unpriced, a NULL token count is unknown.

CREATE TABLE ledger_facts (name VARCHAR NOT NULL, value VARCHAR NOT NULL);
CREATE TABLE schema_version (version INTEGER NOT NULL, applied_at TIMESTAMP NOT NULL);

-- One row per LLM call. No index: uniqueness of request_id is kept by the one writer (see store.add).
CREATE TABLE requests (
    request_id UUID NOT NULL,
    record_digest BLOB NOT NULL,        -- of the record that ranks first among those merged into the row
    id_kind VARCHAR NOT NULL,           -- response | call | record: what request_id is made from
    ts TIMESTAMP NOT NULL,
    ts_estimated BOOLEAN NOT NULL,
    ingested_at TIMESTAMP NOT NULL,
    source VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL,
    tenant VARCHAR,
    workflow VARCHAR,
    environment VARCHAR,
    end_user VARCHAR,                   -- keyed hash, never the raw id
    tags MAP(VARCHAR, VARCHAR),
    provider VARCHAR,
    model VARCHAR,
    model_tier VARCHAR,
    operation VARCHAR NOT NULL,
    api VARCHAR NOT NULL,
    service_tier VARCHAR,
    status VARCHAR NOT NULL,
    http_status INTEGER,
    error_type VARCHAR,
    latency_ms BIGINT,
    ttft_ms BIGINT,
    streamed BOOLEAN,
    attempt INTEGER,
    cache_hit BOOLEAN NOT NULL,
    -- billed buckets, disjoint; reasoning and audio are parts of them
    input_tokens BIGINT,
    cache_read_tokens BIGINT,
    cache_write_tokens BIGINT,
    cache_write_1h_tokens BIGINT,
    output_tokens BIGINT,
    reasoning_tokens BIGINT,
    audio_input_tokens BIGINT,
    audio_output_tokens BIGINT,
    usage_source VARCHAR NOT NULL,
    usage_json VARCHAR,
    -- our own count, beside the provider's
    counted_input_tokens BIGINT,
    counted_output_tokens BIGINT,
    counted_answer_tokens BIGINT,
    counted_tool_call_tokens BIGINT,
    counted_segments BIGINT[],          -- in the order of the seg_ columns below
    count_method VARCHAR NOT NULL,
    count_error DOUBLE,                 -- relative error to expect of counted_input_tokens
    count_category VARCHAR,             -- what the call asks for: text, tools, json_schema, ...
    context_chunk_tokens BIGINT[],      -- of each retrieved chunk in the prompt
    tokenizer VARCHAR,
    rules VARCHAR,
    -- the billed input by part of the prompt; sums to all input buckets together
    seg_tools BIGINT,
    seg_system BIGINT,
    seg_schema BIGINT,
    seg_history BIGINT,
    seg_context BIGINT,
    seg_tool_results BIGINT,
    seg_user BIGINT,
    seg_media BIGINT,
    seg_framing BIGINT,
    seg_unexplained BIGINT,
    prompt_version VARCHAR,
    prompt_hash VARCHAR,
    context_window BIGINT,
    max_output_tokens BIGINT,
    temperature DOUBLE,
    -- money, booked at ingest and frozen
    cost_usd DECIMAL(18, 12),
    list_cost_usd DECIMAL(18, 12),
    contracted_cost_usd DECIMAL(18, 12),
    input_cost_usd DECIMAL(18, 12),
    cache_read_cost_usd DECIMAL(18, 12),
    cache_write_cost_usd DECIMAL(18, 12),
    output_cost_usd DECIMAL(18, 12),
    cost_tools_usd DECIMAL(18, 12),
    cost_system_usd DECIMAL(18, 12),
    cost_schema_usd DECIMAL(18, 12),
    cost_history_usd DECIMAL(18, 12),
    cost_context_usd DECIMAL(18, 12),
    cost_tool_results_usd DECIMAL(18, 12),
    cost_user_usd DECIMAL(18, 12),
    cost_media_usd DECIMAL(18, 12),
    cost_framing_usd DECIMAL(18, 12),
    cost_unexplained_usd DECIMAL(18, 12),
    cost_answer_usd DECIMAL(18, 12),
    cost_tool_calls_usd DECIMAL(18, 12),
    cost_reasoning_usd DECIMAL(18, 12),
    price_id VARCHAR,
    unpriced_reason VARCHAR,
    reported_cost_usd DECIMAL(18, 12)
);

-- The records behind a row that more than one record describes, as read, so that the merge can be
-- made anew in any order. A call seen once has no row here.
CREATE TABLE record_parts AS
    SELECT request_id, record_digest, id_kind, ts, ts_estimated, ingested_at, source, source_file, source_line,
        tenant, workflow, environment, end_user, tags, provider, model, model_tier, operation, api, service_tier,
        status, http_status, error_type, latency_ms, ttft_ms, streamed, attempt, cache_hit,
        input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens,
        reasoning_tokens, audio_input_tokens, audio_output_tokens, usage_json,
        counted_input_tokens, counted_output_tokens, counted_answer_tokens, counted_tool_call_tokens,
        counted_segments, count_method, count_error, count_category, context_chunk_tokens, tokenizer, rules, prompt_version, prompt_hash,
        max_output_tokens, temperature, reported_cost_usd
    FROM requests WHERE false;

-- Records that could not be booked. The text stays in the source; the excerpt has every value masked.
CREATE TABLE rejects (
    record_digest BLOB NOT NULL,
    reason VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL,
    source_offset BIGINT NOT NULL,
    length BIGINT NOT NULL,
    excerpt VARCHAR NOT NULL,
    rejected_at TIMESTAMP NOT NULL
);

-- How far each source file has been read. `digest` is of the bytes before `position`.
CREATE TABLE sources (
    path VARCHAR NOT NULL,
    format VARCHAR NOT NULL,
    size BIGINT NOT NULL,
    position BIGINT NOT NULL,
    lines BIGINT NOT NULL,
    digest BLOB NOT NULL,
    read_at TIMESTAMP NOT NULL
);

CREATE TABLE ingest_runs (
    started_at TIMESTAMP NOT NULL,
    source_file VARCHAR NOT NULL,
    format VARCHAR NOT NULL,
    read BIGINT NOT NULL,
    added BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    duplicate BIGINT NOT NULL,
    merged_identical BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    set_aside BIGINT                    -- sound records that hold no call; NULL in runs of version 1
);

-- What was booked of parts made elsewhere: a part by its name, a source by its manifest and its settings.
CREATE TABLE loaded_parts (name VARCHAR NOT NULL, source VARCHAR NOT NULL, loaded_at TIMESTAMP NOT NULL);

CREATE TABLE token_cache (key BLOB NOT NULL, tokens BIGINT NOT NULL, used_at TIMESTAMP NOT NULL);

CREATE TABLE prompt_versions (
    prompt_version VARCHAR NOT NULL,
    workflow VARCHAR,
    first_seen TIMESTAMP NOT NULL,
    last_seen TIMESTAMP NOT NULL,
    system_tokens BIGINT NOT NULL,
    tools_tokens BIGINT NOT NULL,
    schema_tokens BIGINT NOT NULL,
    tool_tokens MAP(VARCHAR, BIGINT)
);

-- The dated price book: append only. `kind` is list or contract; `above_input_tokens` is the size of a
-- request's input past which the price holds for all of it.
CREATE TABLE prices (
    price_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    provider VARCHAR,
    model VARCHAR NOT NULL,
    tenant VARCHAR,
    service_tier VARCHAR NOT NULL,
    meter VARCHAR NOT NULL,
    above_input_tokens BIGINT NOT NULL,
    usd_per_million DECIMAL(24, 12) NOT NULL,
    currency VARCHAR NOT NULL,
    effective_from DATE,
    effective_to DATE,
    source VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    added_at TIMESTAMP NOT NULL
);

CREATE TABLE corrections (
    request_id UUID NOT NULL,
    ts TIMESTAMP NOT NULL,
    corrected_at TIMESTAMP NOT NULL,
    column_name VARCHAR NOT NULL,
    old_value VARCHAR,
    new_value VARCHAR,
    reason VARCHAR NOT NULL
);

CREATE TABLE bills (
    provider VARCHAR NOT NULL,
    period_start TIMESTAMP NOT NULL,
    period_end TIMESTAMP NOT NULL,
    keys MAP(VARCHAR, VARCHAR),
    model VARCHAR,
    meter VARCHAR NOT NULL,
    quantity DECIMAL(38, 12),
    cost_usd DECIMAL(38, 12),
    source_file VARCHAR NOT NULL,
    ingested_at TIMESTAMP NOT NULL
);

CREATE TABLE calibrations (
    version BIGINT NOT NULL,
    model VARCHAR NOT NULL,
    api VARCHAR NOT NULL,
    category VARCHAR NOT NULL,
    tokenizer VARCHAR NOT NULL,
    rules VARCHAR NOT NULL,            -- a line holds for counts by the rules and vocabulary it was fitted on
    factor DOUBLE NOT NULL,
    intercept DOUBLE NOT NULL,         -- factor 1 and intercept 0: the plain count is back in force
    least DOUBLE,                      -- the counts that it was learned from reach from here
    greatest DOUBLE,                   -- to here
    error DOUBLE,                       -- relative error to expect, of pairs that took no part in the fit
    evidence BIGINT NOT NULL,           -- pairs of count and bill
    since TIMESTAMP NOT NULL,
    until TIMESTAMP NOT NULL,
    fitted_at TIMESTAMP NOT NULL
);

CREATE TABLE config_versions (digest VARCHAR NOT NULL, body VARCHAR NOT NULL, in_force_from TIMESTAMP NOT NULL);

CREATE TABLE incidents (
    incident_id VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    tenant VARCHAR,
    workflow VARCHAR,
    model VARCHAR,
    model_tier VARCHAR,
    environment VARCHAR,
    severity VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    opened_at TIMESTAMP NOT NULL,
    since TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    acknowledged_at TIMESTAMP,
    resolved_at TIMESTAMP,
    until_at TIMESTAMP,
    observed_usd DECIMAL(38, 12),
    expected_usd DECIMAL(38, 12),
    excess_usd DECIMAL(38, 12),
    summary VARCHAR NOT NULL,
    why VARCHAR[] NOT NULL,
    action_kind VARCHAR,
    action_text VARCHAR,
    action_command VARCHAR,
    action_saving_usd_per_day DECIMAL(38, 12),
    note VARCHAR,
    deliver BOOLEAN NOT NULL,
    notified_at TIMESTAMP,
    notified_excess_usd DECIMAL(38, 12)
);

-- One row per message to one channel. `state`: pending, sending, sent, failed (will be tried again),
-- given_up. `dedup_key` is what the receiving side can collapse repeats by.
CREATE TABLE notifications (
    notification_id VARCHAR NOT NULL,
    incident_id VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    dedup_key VARCHAR NOT NULL,
    body VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    attempts INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL,
    next_try_at TIMESTAMP NOT NULL,
    claimed_at TIMESTAMP,
    claimed_by VARCHAR,
    sent_at TIMESTAMP,
    last_error VARCHAR
);

CREATE TABLE controls (
    incident_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    detail VARCHAR NOT NULL,
    proposed_at TIMESTAMP NOT NULL,
    decided_at TIMESTAMP,
    decision VARCHAR
);

CREATE TABLE report_runs (
    report VARCHAR NOT NULL,
    period_start TIMESTAMP NOT NULL,
    period_end TIMESTAMP NOT NULL,
    rendered_at TIMESTAMP NOT NULL,
    path VARCHAR NOT NULL,
    digest VARCHAR NOT NULL
);

CREATE TABLE job_runs (
    job VARCHAR NOT NULL,
    started_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,
    outcome VARCHAR NOT NULL,
    detail VARCHAR NOT NULL
);

CREATE TABLE sealed (period_start TIMESTAMP NOT NULL, period_end TIMESTAMP NOT NULL, kind VARCHAR NOT NULL, sealed_at TIMESTAMP NOT NULL);
CREATE TABLE audit (happened_at TIMESTAMP NOT NULL, action VARCHAR NOT NULL, detail VARCHAR NOT NULL);

-- Quarters of an hour in which the derived tables (see derived.py) may hold several rows a group.
CREATE TABLE unsettled (bucket TIMESTAMP NOT NULL);

-- What such a ledger held.
INSERT INTO schema_version VALUES (2, TIMESTAMP '2026-10-01');
INSERT INTO requests BY NAME
SELECT
    md5(n::VARCHAR)::UUID AS request_id, md5(n::VARCHAR)::BLOB AS record_digest, 'response' AS id_kind,
    TIMESTAMP '2026-10-05 11:50' + to_minutes(n * 7) AS ts, false AS ts_estimated,
    TIMESTAMP '2026-10-06' AS ingested_at, 'pair' AS source, 'a.jsonl' AS source_file, n AS source_line,
    CASE WHEN n % 2 = 0 THEN 'acme' END AS tenant, 'support' AS workflow, 'openai' AS provider,
    'gpt-4.1-mini' AS model, 'chat' AS operation, 'openai.chat' AS api, 'ok' AS status, false AS cache_hit,
    100 AS input_tokens, 10 AS output_tokens, 'reported' AS usage_source, 'none' AS count_method,
    'v1' AS prompt_version, 0.000056 AS cost_usd, 0.000040 AS input_cost_usd, 0.000016 AS output_cost_usd
FROM range(6) AS numbers(n);

-- Its derived tables.
CREATE TABLE rollup AS
-- Spend by quarter of an hour, so that half-hour and 45-minute time zones tie. Every column that is no key adds up.
SELECT
    time_bucket(INTERVAL 15 MINUTE, ts) AS bucket,
    tenant, workflow, environment, provider, model, model_tier, service_tier, operation, status, usage_source,
    ts_estimated, unpriced_reason,
    count(*) AS requests,
    coalesce(sum(input_tokens), 0)::BIGINT AS input_tokens,
    coalesce(sum(cache_read_tokens), 0)::BIGINT AS cache_read_tokens,
    coalesce(sum(cache_write_tokens), 0)::BIGINT AS cache_write_tokens,
    coalesce(sum(cache_write_1h_tokens), 0)::BIGINT AS cache_write_1h_tokens,
    coalesce(sum(output_tokens), 0)::BIGINT AS output_tokens,
    coalesce(sum(reasoning_tokens), 0)::BIGINT AS reasoning_tokens,
    coalesce(sum(audio_input_tokens), 0)::BIGINT AS audio_input_tokens,
    coalesce(sum(audio_output_tokens), 0)::BIGINT AS audio_output_tokens,
    coalesce(sum(counted_input_tokens), 0)::BIGINT AS counted_input_tokens,
    coalesce(sum(counted_output_tokens), 0)::BIGINT AS counted_output_tokens,
    coalesce(sum(seg_tools), 0)::BIGINT AS seg_tools,
    coalesce(sum(seg_system), 0)::BIGINT AS seg_system,
    coalesce(sum(seg_schema), 0)::BIGINT AS seg_schema,
    coalesce(sum(seg_history), 0)::BIGINT AS seg_history,
    coalesce(sum(seg_context), 0)::BIGINT AS seg_context,
    coalesce(sum(seg_tool_results), 0)::BIGINT AS seg_tool_results,
    coalesce(sum(seg_user), 0)::BIGINT AS seg_user,
    coalesce(sum(seg_media), 0)::BIGINT AS seg_media,
    coalesce(sum(seg_framing), 0)::BIGINT AS seg_framing,
    coalesce(sum(seg_unexplained), 0)::BIGINT AS seg_unexplained,
    coalesce(sum(cost_tools_usd), 0)::DECIMAL(38, 12) AS cost_tools_usd,
    coalesce(sum(cost_system_usd), 0)::DECIMAL(38, 12) AS cost_system_usd,
    coalesce(sum(cost_schema_usd), 0)::DECIMAL(38, 12) AS cost_schema_usd,
    coalesce(sum(cost_history_usd), 0)::DECIMAL(38, 12) AS cost_history_usd,
    coalesce(sum(cost_context_usd), 0)::DECIMAL(38, 12) AS cost_context_usd,
    coalesce(sum(cost_tool_results_usd), 0)::DECIMAL(38, 12) AS cost_tool_results_usd,
    coalesce(sum(cost_user_usd), 0)::DECIMAL(38, 12) AS cost_user_usd,
    coalesce(sum(cost_media_usd), 0)::DECIMAL(38, 12) AS cost_media_usd,
    coalesce(sum(cost_framing_usd), 0)::DECIMAL(38, 12) AS cost_framing_usd,
    coalesce(sum(cost_unexplained_usd), 0)::DECIMAL(38, 12) AS cost_unexplained_usd,
    coalesce(sum(cost_answer_usd), 0)::DECIMAL(38, 12) AS cost_answer_usd,
    coalesce(sum(cost_tool_calls_usd), 0)::DECIMAL(38, 12) AS cost_tool_calls_usd,
    coalesce(sum(cost_reasoning_usd), 0)::DECIMAL(38, 12) AS cost_reasoning_usd,
    coalesce(sum(cost_usd), 0)::DECIMAL(38, 12) AS cost_usd,
    coalesce(sum(list_cost_usd), 0)::DECIMAL(38, 12) AS list_cost_usd,
    coalesce(sum(contracted_cost_usd), 0)::DECIMAL(38, 12) AS contracted_cost_usd,
    coalesce(sum(input_cost_usd), 0)::DECIMAL(38, 12) AS input_cost_usd,
    coalesce(sum(cache_read_cost_usd), 0)::DECIMAL(38, 12) AS cache_read_cost_usd,
    coalesce(sum(output_cost_usd), 0)::DECIMAL(38, 12) AS output_cost_usd,
    count(*) FILTER (cost_usd IS NULL) AS unpriced_requests,
    coalesce(sum(coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
        + coalesce(cache_write_1h_tokens, 0) + coalesce(output_tokens, 0)) FILTER (cost_usd IS NULL), 0)::BIGINT
        AS unpriced_tokens
FROM requests
GROUP BY ALL
;
CREATE TABLE prompt_use AS
-- Which prompts were in use when, and what a request with them took. `measured_*` are of the requests of known
-- size and cost only, so that their quotients are of one kind of request.
SELECT
    time_bucket(INTERVAL 15 MINUTE, ts) AS bucket,
    tenant, workflow, environment, model, status, prompt_version,
    count(*) AS requests,
    coalesce(sum(coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
        + coalesce(cache_write_1h_tokens, 0)), 0)::BIGINT AS input_tokens,
    coalesce(sum(output_tokens), 0)::BIGINT AS output_tokens,
    coalesce(sum(seg_system), 0)::BIGINT AS seg_system,
    coalesce(sum(seg_tools), 0)::BIGINT AS seg_tools,
    coalesce(sum(seg_schema), 0)::BIGINT AS seg_schema,
    coalesce(sum(cost_usd), 0)::DECIMAL(38, 12) AS cost_usd,
    count(*) FILTER (cost_usd IS NOT NULL
        AND coalesce(input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens) IS NOT NULL)
        AS measured_requests,
    coalesce(sum(coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
        + coalesce(cache_write_1h_tokens, 0)) FILTER (cost_usd IS NOT NULL), 0)::BIGINT AS measured_tokens,
    coalesce(sum(cost_usd) FILTER (
        coalesce(input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens) IS NOT NULL), 0
    )::DECIMAL(38, 12) AS measured_usd,
    min(ts) AS first_ts,
    max(ts) AS last_ts
FROM requests
WHERE NOT ts_estimated
GROUP BY ALL
;
CREATE TABLE size_bins AS
-- How large and how dear answered requests were by the hour, as histograms that add up: a row a side and bin. A
-- bin is one size below 50 and 2 % wide above (costs in picodollars), so a value read off one is within 2 %. By
-- the hour, as a quarter of one holds few calls of a kind: their bins would be as many as the calls.
SELECT
    date_trunc('hour', ts)::TIMESTAMP AS bucket,
    tenant, workflow, side,
    CASE WHEN size < 50 THEN size ELSE 50 + floor(ln(size / 50) / ln(1.02)) END::SMALLINT AS bin,
    count(*) AS requests,
    (sum(size) FILTER (side <> 'cost'))::BIGINT AS tokens,
    coalesce(sum(usd), 0)::DECIMAL(38, 12) AS usd
FROM (
    SELECT ts, tenant, workflow,
        unnest(['input', 'output', 'cost']) AS side,
        unnest([
            CASE WHEN coalesce(input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens)
                IS NOT NULL THEN coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0)
                + coalesce(cache_write_tokens, 0) + coalesce(cache_write_1h_tokens, 0) END,
            output_tokens,
            (cost_usd * 1000000000000)::BIGINT
        ]) AS size,
        unnest([(cost_usd - output_cost_usd)::DECIMAL(18, 12), output_cost_usd, cost_usd]) AS usd
    FROM requests
    WHERE status = 'ok' AND NOT ts_estimated
)
WHERE size IS NOT NULL
GROUP BY ALL
;
CREATE TABLE count_days AS
-- Our count of the input beside the bill, by UTC day. Only what a provider billed by a count of its own can be
-- compared: no cached answer of a gateway, no count of ours that stood in for a bill. The signed error, counted
-- less reported over reported, is filed in bins that grow by a tenth: a median read off them is within 5 % of
-- itself, and below a hundredth of a per cent (bin 0) an error is none.
SELECT
    ts::DATE AS day,
    model, api, count_category AS category, count_method AS method, ts_estimated,
    CASE WHEN abs(error) < 1e-4 THEN 0
        ELSE sign(error) * least(120, 1 + floor(ln(abs(error) / 1e-4) / ln(1.1))) END::SMALLINT AS bin,
    count(*) AS compared,
    count(*) FILTER (counted = reported) AS equal,
    count(*) FILTER (abs(counted - reported) <= 2) AS within_2,
    sum(reported)::BIGINT AS reported_tokens,
    sum(counted)::BIGINT AS counted_tokens,
    sum(round(1e6 * abs(error)))::BIGINT AS error_ppm
FROM (
    SELECT ts, model, api, count_category, count_method, ts_estimated,
        counted_input_tokens AS counted,
        coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
            + coalesce(cache_write_1h_tokens, 0) AS reported,
        (counted - reported) / reported AS error
    FROM requests
    WHERE usage_source = 'reported' AND NOT cache_hit AND count_method <> 'none'
        AND counted_input_tokens IS NOT NULL
)
WHERE reported > 0
GROUP BY ALL
;
