"""Opens the three files of an export with DuckDB and pandas, as people do, and compares what they say."""

import pathlib
import sys

import duckdb
import pandas
import pyarrow.parquet

FOLDER = pathlib.Path(sys.argv[1])
FILES = {format: FOLDER / f"trends.{format}" for format in ("csv", "jsonl", "parquet")}
FACTS = """count(*), count(DISTINCT clip_id), round(sum(value), 2), min(day), max(day), min(fetched_at)::TIMESTAMP,
    max(last_fetched_at)::TIMESTAMP, count(*) FILTER (is_latest), sum(snapshot_id)::HUGEINT"""
TYPES = {"day": "DATE", "value": "DOUBLE", "is_latest": "BOOLEAN", "period_days": "BIGINT", "region": "VARCHAR"}

duckdb.sql("SET TimeZone = 'UTC'")
duckdb.sql("SET memory_limit = '4GB'")
facts, agree = {}, True
for format, file in FILES.items():
    table = f"'{file}'" if format != "jsonl" else f"read_json('{file}', format = 'newline_delimited')"
    facts[format] = duckdb.sql(f"SELECT {FACTS} FROM {table}").fetchall()[0]
    types = dict(duckdb.sql(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {table})").fetchall())
    wrong = {column: types[column] for column in TYPES if types[column] != TYPES[column]}
    agree &= not wrong and "TIMESTAMP" in types["fetched_at"] and facts[format] == facts["csv"]
    print(f"DuckDB, {format}: {facts[format][0]:,} rows, {facts[format][1]} sounds, sum {facts[format][2]},"
          f" {facts[format][3]} to {facts[format][4]}; fetched_at is {types['fetched_at']}{wrong or ''}")

columns = ["clip_id", "region", "day", "value", "fetched_at", "is_latest"]
parquet = pandas.read_parquet(FILES["parquet"], columns=columns)
print(f"pandas, parquet: {len(parquet):,} rows, sum {parquet['value'].sum():.2f};"
      f" {', '.join(f'{name} {kind}' for name, kind in parquet.dtypes.items())}")
agree &= len(parquet) == facts["csv"][0] and round(parquet["value"].sum(), 2) == facts["csv"][2]
agree &= str(pyarrow.parquet.read_schema(FILES["parquet"]).field("day").type) == "date32[day]"
head = len(parquet) // 10
parquet = parquet.head(head)
csv = pandas.read_csv(FILES["csv"], nrows=head, dtype={"clip_id": str}, usecols=columns, parse_dates=["day", "fetched_at"])
jsonl = pandas.read_json(FILES["jsonl"], lines=True, nrows=head // 10, precise_float=True,
                         dtype={"clip_id": str})
same = (csv["value"] == parquet["value"]).all() and (csv["clip_id"] == parquet["clip_id"]).all()
same &= (csv["fetched_at"].dt.tz_localize("UTC") == parquet["fetched_at"]).all()
same &= (jsonl["value"] == parquet["value"].head(head // 10)).all()
agree &= bool(same)
print(f"pandas, csv (first {head:,} rows) and jsonl (first {head // 10:,}): {'the same' if same else 'NOT the same'} values")
sys.exit(not agree)
