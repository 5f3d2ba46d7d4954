"""Exports ten million trend points in each format, opens the files with DuckDB and pandas, and times the
queries of docs/sql.md with their plans, on both databases. See scripts/bench-export.
"""

import argparse
import contextlib
import json
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from history import History, statements  # noqa: E402
from support import DATABASES, ROOT, WORK, Usage, binary, measured  # noqa: E402

# About ten million trend points.
HISTORY = History(clips=500, days=270, windows=(7, 30))
FORMATS = ["csv", "jsonl", "parquet"]
MOST_MEGABYTES = 64
LONGEST_QUERY = 600
QUERY = re.compile(r"^### ([^\n]*)\n(?:(?!^### ).)*?<!-- query: ([^>]*) -->\n```sql\n(.*?)^```", re.S | re.M)
CLIP = re.compile(r"'\d{18,20}'")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", help="default: the newest optimized build")
    parser.add_argument("--databases", default="sqlite,postgres")
    options = parser.parse_args()
    program = binary(options.binary)
    folder = WORK / "export"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in options.databases.split(","):
        database = DATABASES[name](folder)
        try:
            run(program, folder, name, database)
        finally:
            database.drop()
    shutil.rmtree(folder)


def run(program, folder, name, database):
    config = folder / f"{name}.toml"
    config.write_text(f'[database]\nurl = "{database.url}"\n[watchlist]\npath = ""\n')
    subprocess.run([program, "--config", config, "db", "migrate"], check=True, capture_output=True)
    began = time.monotonic()
    for statement in statements(name, HISTORY):
        database.execute(statement)
    print(f"\n{database.name}: {HISTORY.points:,} trend points in {database.size() / 1e6:,.0f} MB,"
          f" made in {time.monotonic() - began:.0f} s\n", flush=True)
    exports(program, folder, config)
    queries(name, database)


def exports(program, folder, config):
    print("| export of trend_history | seconds | peak MB | file MB | rows a second |\n|---|---|---|---|---|")
    for format in FORMATS:
        file = folder / f"trends.{format}"
        used: Usage = measured([program, "--config", config, "export", "trend_history", "-o", file])
        if used.code != 0:
            sys.exit(used.output)
        print(f"| {format} | {used.wall:.0f} | {used.megabytes:.0f} | {file.stat().st_size / 1e6:,.0f} |"
              f" {HISTORY.points / used.wall:,.0f} |", flush=True)
        if used.megabytes > MOST_MEGABYTES:
            sys.exit(f"{used.megabytes:.0f} MB of memory, {MOST_MEGABYTES} are allowed")
    found = measured([sys.executable, pathlib.Path(__file__).with_name("readers.py"), folder])
    print(f"\n{found.output}", flush=True)
    if found.code != 0:
        sys.exit("the readers do not agree")


def queries(name, database):
    """Each query of the page; those of one sound ask for the first sounds of this database."""
    print("| query of docs/sql.md | seconds | rows | plan |\n|---|---|---|---|")
    page = (ROOT / "docs" / "sql.md").read_text()
    for title, marker, sql in QUERY.findall(page):
        if not marker.startswith("both"):
            continue
        clips = sorted(set(CLIP.findall(sql)))
        for n, clip in enumerate(clips):
            sql = sql.replace(clip, f"'{HISTORY.clip_ids()[n]}'")
        seconds, rows, plan = (on_sqlite if name == "sqlite" else on_postgres)(database, sql)
        print(f"| {title} | {seconds} | {rows} | {plan} |", flush=True)


def on_sqlite(database, sql):
    with contextlib.closing(sqlite3.connect(database.path)) as connection:
        steps = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + sql)]
        end = time.monotonic() + LONGEST_QUERY
        connection.set_progress_handler(lambda: time.monotonic() > end, 1_000_000)
        began = time.monotonic()
        try:
            rows = len(connection.execute(sql).fetchall())
        except sqlite3.OperationalError as error:
            return f"over {LONGEST_QUERY}", error, ""
        scans = [step for step in steps if step.startswith("SCAN")]
        searches = sum(step.startswith("SEARCH") for step in steps)
        return f"{time.monotonic() - began:.2f}", rows, f"{'; '.join(scans)}; {searches} index searches"


def on_postgres(database, sql):
    settings = f"SET statement_timeout = '{LONGEST_QUERY}s';"
    try:
        text = database.psql(database.url, f"{settings} EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
    except subprocess.CalledProcessError as error:
        return f"over {LONGEST_QUERY}", error.stderr.strip(), ""
    explained = json.loads(text)[0]
    scans = {}

    def walk(node):
        if "Relation Name" in node:
            key = f"{node['Node Type']} {node['Relation Name']}"
            scans[key] = scans.get(key, 0) + 1
        for child in node.get("Plans", []):
            walk(child)

    walk(explained["Plan"])
    return f"{explained['Execution Time'] / 1000:.2f}", explained["Plan"]["Actual Rows"], ", ".join(sorted(scans))


if __name__ == "__main__":
    main()
