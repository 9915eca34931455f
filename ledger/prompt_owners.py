"""Which workflows use a prompt version, kept in step with calls that come to another workflow."""

from __future__ import annotations

from ledger.store import Ledger


def follow(ledger: Ledger) -> None:
    """After rows went from `gone` to `came`: the versions of their prompts are their workflows' by now.

    A workflow keeps a version as long as any of its calls uses it.
    """
    ledger.execute("""
        CREATE OR REPLACE TEMP TABLE moved_prompts AS
        SELECT came.prompt_version, gone.workflow AS before, came.workflow AS after,
            min(came.ts) AS first_seen, max(came.ts) AS last_seen
        FROM came JOIN gone USING (request_id)
        WHERE came.prompt_version IS NOT NULL AND came.workflow IS DISTINCT FROM gone.workflow
        GROUP BY ALL
    """)
    if not ledger.rows("SELECT 1 FROM moved_prompts LIMIT 1"):
        return
    ledger.execute("""
        CREATE OR REPLACE TEMP TABLE owned_prompts AS
        SELECT moved.prompt_version, moved.after AS workflow,
            least(min(moved.first_seen), min(own.first_seen)) AS first_seen,
            greatest(max(moved.last_seen), max(own.last_seen)) AS last_seen,
            any_value(coalesce(own.system_tokens, was.system_tokens)) AS system_tokens,
            any_value(coalesce(own.tools_tokens, was.tools_tokens)) AS tools_tokens,
            any_value(coalesce(own.schema_tokens, was.schema_tokens)) AS schema_tokens,
            any_value(coalesce(own.tool_tokens, was.tool_tokens)) AS tool_tokens
        FROM moved_prompts AS moved
        JOIN prompt_versions AS was ON was.prompt_version = moved.prompt_version
        LEFT JOIN prompt_versions AS own ON own.prompt_version = moved.prompt_version
            AND own.workflow IS NOT DISTINCT FROM moved.after
        GROUP BY moved.prompt_version, moved.after
    """)
    ledger.execute("""
        DELETE FROM prompt_versions AS known USING owned_prompts AS owned
        WHERE known.prompt_version = owned.prompt_version
            AND known.workflow IS NOT DISTINCT FROM owned.workflow
    """)
    ledger.execute("INSERT INTO prompt_versions BY NAME SELECT * FROM owned_prompts")
    ledger.execute("""
        DELETE FROM prompt_versions AS known USING moved_prompts AS moved
        WHERE known.prompt_version = moved.prompt_version AND known.workflow IS NOT DISTINCT FROM moved.before
            AND NOT EXISTS (
                SELECT 1 FROM prompt_use WHERE prompt_use.prompt_version = known.prompt_version
                    AND prompt_use.workflow IS NOT DISTINCT FROM known.workflow
                GROUP BY ALL HAVING sum(prompt_use.requests) > 0
            )
            AND NOT EXISTS (
                SELECT 1 FROM requests WHERE ts_estimated AND requests.prompt_version = known.prompt_version
                    AND requests.workflow IS NOT DISTINCT FROM known.workflow
            )
    """)
