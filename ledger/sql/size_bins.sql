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
