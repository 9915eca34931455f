-- How well each call could be counted, what it asked for, and the chunks its prompt was given.
ALTER TABLE requests ADD COLUMN count_error DOUBLE;
ALTER TABLE requests ADD COLUMN count_category VARCHAR;
ALTER TABLE requests ADD COLUMN context_chunk_tokens BIGINT[];
ALTER TABLE record_parts ADD COLUMN count_error DOUBLE;
ALTER TABLE record_parts ADD COLUMN count_category VARCHAR;
ALTER TABLE record_parts ADD COLUMN context_chunk_tokens BIGINT[];

-- What was booked of parts made elsewhere: a part by its name, a source by its manifest and its settings.
CREATE TABLE loaded_parts (name VARCHAR NOT NULL, source VARCHAR NOT NULL, loaded_at TIMESTAMP NOT NULL);
-- The rollup was a view of the rows; it and the other derived tables are kept from now on (see derived.py).
DROP VIEW rollup;
CREATE TABLE unsettled (bucket TIMESTAMP NOT NULL);


-- Sound records that hold no call, such as the spans of tools.
ALTER TABLE ingest_runs ADD COLUMN set_aside BIGINT;

-- Learned from pairs of count and bill; nothing was ever written into the table of version 1.
DROP TABLE calibrations;
CREATE TABLE calibrations (
    version BIGINT NOT NULL,
    model VARCHAR NOT NULL,
    api VARCHAR NOT NULL,
    category VARCHAR NOT NULL,
    tokenizer VARCHAR NOT NULL,
    rules VARCHAR NOT NULL,
    factor DOUBLE NOT NULL,
    intercept DOUBLE NOT NULL,
    least DOUBLE,
    greatest DOUBLE,
    error DOUBLE,
    evidence BIGINT NOT NULL,
    since TIMESTAMP NOT NULL,
    until TIMESTAMP NOT NULL,
    fitted_at TIMESTAMP NOT NULL
);
