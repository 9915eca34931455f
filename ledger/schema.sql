-- The ledger, version 3. A change here needs a file in migrations/ that brings older ledgers to it.
-- Times are UTC TIMESTAMPs. Money is DECIMAL(18,12) a request; sums of it are DECIMAL(38,12).
-- A NULL dimension is Unattributed, a NULL cost is unpriced, a NULL token count is unknown.

CREATE TABLE ledger_facts (name VARCHAR NOT NULL, value VARCHAR NOT NULL);
CREATE TABLE schema_version (version INTEGER NOT NULL, applied_at TIMESTAMP NOT NULL);

-- One row per LLM call. No index: uniqueness of request_id is kept by the one writer (see store.add).
CREATE TABLE requests (
    request_id UUID NOT NULL,
    record_digest BLOB NOT NULL,        -- of the record that ranks first among those merged into the row
    id_kind VARCHAR NOT NULL,           -- response | call | record | echo: what request_id is made from
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
    reported_cost_usd DECIMAL(18, 12),
    -- what the log names the call and the step above it by, as keyed hashes; NULL where it has no such names
    span UUID,
    parent_span UUID,
    otherwise VARCHAR[],                -- tenant, workflow, environment, end_user where nothing else says them
    inherited SMALLINT                  -- which of these the call does not say itself (1, 2, 4, 8), and which
                                        -- it has from a step above (16, 32, 64, 128)
);

-- The records behind a row that more than one record describes, as read, so that the merge can be
-- made anew in any order. A call seen once has no row here. Where id_kind is part, the record tells of the
-- call with that span, and request_id is the span.
CREATE TABLE record_parts AS
    SELECT request_id, record_digest, id_kind, ts, ts_estimated, ingested_at, source, source_file, source_line,
        tenant, workflow, environment, end_user, tags, provider, model, model_tier, operation, api, service_tier,
        status, http_status, error_type, latency_ms, ttft_ms, streamed, attempt, cache_hit,
        input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens,
        reasoning_tokens, audio_input_tokens, audio_output_tokens, usage_json,
        counted_input_tokens, counted_output_tokens, counted_answer_tokens, counted_tool_call_tokens,
        counted_segments, count_method, count_error, count_category, context_chunk_tokens, tokenizer, rules, prompt_version, prompt_hash,
        max_output_tokens, temperature, reported_cost_usd, span, parent_span, otherwise
    FROM requests WHERE false;

-- Steps of programs above their calls (agents, workflows, chains): calls beneath them take from the nearest
-- one what they do not say themselves. Kept for 14 days.
CREATE TABLE spans (
    span UUID NOT NULL,
    parent UUID,
    ts TIMESTAMP NOT NULL,
    ts_estimated BOOLEAN NOT NULL,
    tenant VARCHAR,
    workflow VARCHAR,
    environment VARCHAR,
    end_user VARCHAR                    -- keyed hash, never the raw id
);

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

-- How far each source file has been read. `digest` is of the bytes before `position`, `head` of the first of
-- them, by which a file is found again under another name; `etag` is an object store's, else NULL.
CREATE TABLE sources (
    path VARCHAR NOT NULL,
    format VARCHAR NOT NULL,
    size BIGINT NOT NULL,
    position BIGINT NOT NULL,
    lines BIGINT NOT NULL,
    digest BLOB NOT NULL,
    read_at TIMESTAMP NOT NULL,
    head BLOB,
    etag VARCHAR
);

-- Records of a version, or with fields, that their format's reader does not know: booked all the same.
CREATE TABLE newer_records (
    format VARCHAR NOT NULL,
    version VARCHAR,                    -- NULL where the version is known and the fields are new
    fields VARCHAR[] NOT NULL,
    records BIGINT NOT NULL,
    first_seen TIMESTAMP NOT NULL,
    last_seen TIMESTAMP NOT NULL
);

-- Redacted texts of calls, kept only where the configuration asks for it.
CREATE TABLE samples (
    request_id UUID NOT NULL,
    ts TIMESTAMP NOT NULL,
    kept_at TIMESTAMP NOT NULL,
    tenant VARCHAR,
    workflow VARCHAR,
    end_user VARCHAR,                   -- keyed hash, as in requests
    model VARCHAR,
    prompt VARCHAR NOT NULL,
    answer VARCHAR NOT NULL,
    redacted BIGINT NOT NULL            -- how many places were blackened
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
    set_aside BIGINT,                   -- sound records that hold no call; NULL in runs of version 1
    bills BIGINT                        -- lines of bills that were new or changed; NULL in runs before version 3
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

-- What people decided about prompt versions; the newest decision holds.
CREATE TABLE prompt_reviews (
    prompt_version VARCHAR NOT NULL,
    verdict VARCHAR NOT NULL,
    reviewer VARCHAR NOT NULL,
    note VARCHAR NOT NULL,
    reviewed_at TIMESTAMP NOT NULL
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

-- Lines of providers' bills and usage reports, one a line and period (see bills.py). Never calls.
CREATE TABLE bills (
    bill_id BLOB NOT NULL,              -- digest of provider, report, period, breakdown, model, meter and keys
    provider VARCHAR NOT NULL,
    report VARCHAR NOT NULL,            -- reports of one provider tell the same money: never add them up
    period_start TIMESTAMP NOT NULL,
    period_end TIMESTAMP NOT NULL,
    grouped_by VARCHAR NOT NULL,        -- what the report is broken down by: another breakdown is the same money
    model VARCHAR,
    meter VARCHAR NOT NULL,
    keys MAP(VARCHAR, VARCHAR),
    quantity DECIMAL(38, 12),
    unit VARCHAR,
    cost_usd DECIMAL(38, 12),
    list_cost_usd DECIMAL(38, 12),
    adds BOOLEAN NOT NULL,              -- lines of one bill_id in one file add up; else the last one stands
    reported_at TIMESTAMP NOT NULL,     -- when the report was written: of two the later one stands
    record_digest BLOB NOT NULL,
    source VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL,
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
