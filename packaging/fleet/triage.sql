-- The lines of a fleet in PostgreSQL (12 or later), grouped as `vmcore triage` groups them (docs/fleet.md):
--
--   cat results/*.jsonl | psql -f triage.sql -c '\copy vmcore_line (line) from stdin with (format csv, delimiter e''\x02'', quote e''\x01'')' \
--       -c 'table vmcore_group'
--
-- The quote and the delimiter are characters that no JSON has: each line is one value as it stands.
create table if not exists vmcore_line (line jsonb not null, loaded timestamptz not null default now());

create or replace view vmcore_crash as
select line->>'file' as file,
       line->>'signature' as signature,
       (line->>'signature_partial')::boolean as signature_partial,
       line->>'title' as title,
       line->>'kind' as kind,
       line->>'suspected_module' as suspected_module,
       line->'frames' as frames,
       line->>'release' as release,
       to_timestamp((line->>'crash_time')::double precision) as crash_time,
       line->'problem_codes' as problem_codes
from vmcore_line
where line->>'line' = 'dump';

create or replace view vmcore_group as
select count(*) as count,
       signature,
       (array_agg(title order by file))[1] as title,
       (array_agg(suspected_module order by file))[1] as suspected_module,
       min(crash_time) as first_time,
       max(crash_time) as last_time,
       array_agg(distinct release) as kernels,
       array_agg(file order by file) as files
from vmcore_crash
group by signature
order by count desc, title, signature;

create or replace view vmcore_failed as
select line->>'file' as file, line->>'error' as error
from vmcore_line
where line->>'line' = 'failed';
