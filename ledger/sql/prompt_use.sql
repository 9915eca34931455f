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
