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
