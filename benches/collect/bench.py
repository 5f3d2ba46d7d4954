"""soundwatch beside a hand-written collector: 2,000 distinct answers, 32 in flight, into both databases.

Run by scripts/bench-collect, which brings nginx, Postgres and the Python packages.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import support  # noqa: E402

PYTHON = support.WORK / "venv" / "bin" / "python"
SIDES = ("soundwatch", "aiohttp")


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--answers", type=int, default=2000)
    options.add_argument("--side", choices=SIDES, help="only this one")
    options.add_argument("--database", choices=support.DATABASES, help="only this one")
    options.add_argument("--uvloop", action="store_true", help="give the other side the faster event loop")
    options.add_argument("--binary", help="the soundwatch to measure (else the newest of target/dist and release)")
    options = options.parse_args()
    sides = [options.side] if options.side else list(SIDES)
    databases = [options.database] if options.database else list(support.DATABASES)
    soundwatch = support.binary(options.binary) if "soundwatch" in sides else None

    answers = support.WORK / f"answers-{options.answers}"
    if not (answers / "totals.json").exists():
        subprocess.run([sys.executable, HERE / "answers.py", answers, str(options.answers)], check=True)

    results = {}
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        http = f"""
            access_log off; open_file_cache max=10000;
            server {{
                listen 127.0.0.1:PORT;
                location = /v1/tiktok/trending/music/detail {{
                    if ($http_authorization != "Bearer sk_live_bench") {{ return 401; }}
                    root {answers}; default_type application/json; try_files /$arg_clip_id.json =404;
                }}
            }}"""
        with support.nginx(directory, http) as url:
            for run in range(options.runs):
                for database in databases:
                    # Alternating, so that neither always finds what the other has warmed up.
                    for side in sides if run % 2 == 0 else reversed(sides):
                        result = one_run(side, database, url, answers, soundwatch, options.uvloop)
                        results.setdefault((database, side), []).append(result)
                        print(f"run {run + 1}: {line(database, side, result)}", flush=True)
    report(results, options)


def one_run(side, database_name, url, answers, soundwatch, uvloop):
    """Both sides find an empty database with its tables."""
    count = json.loads((answers / "totals.json").read_text())["answers"]
    directory = support.WORK / "run"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    database = support.DATABASES[database_name](directory)
    if side == "aiohttp":
        program = [PYTHON, HERE / "collector.py", *(["--uvloop"] if uvloop else [])]
        prepare = [*program, "create", database.url]
        collect = [*program, "collect", database.url, url, answers / "clip_ids.txt"]
    else:
        clip_ids = (answers / "clip_ids.txt").read_text().split()
        program = [soundwatch, "--config", support.write_configuration(directory, url, database, clip_ids)]
        prepare = [*program, "db", "migrate"]
        collect = [*program, "collect", "--all"]
    try:
        run(prepare)
        empty = database.size()
        used = run(collect)
        verify(database, answers)
        return {
            "wall": used.wall,
            "rate": count / used.wall,
            # What the interpreter needs to start is no fault of the collector: its own clock beside.
            "own": count / float(used.output) if side == "aiohttp" else None,
            "cpu": used.cpu,
            "megabytes": used.megabytes,
            "bytes": (database.size() - empty - database.index_size()) / count,
            "index": database.index_size() / count,
        }
    finally:
        database.drop()


def run(command):
    used = support.measured(command, support.KEY)
    if used.code != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {used.code}:\n{used.output[-4000:]}")
    return used


def verify(database, answers):
    expected = json.loads((answers / "totals.json").read_text())
    found = database.scalars(
        "SELECT (SELECT count(*) FROM snapshots), (SELECT count(*) FROM sounds), (SELECT count(*) FROM trend_points),"
        " (SELECT round(sum(value * 100)) FROM trend_points), (SELECT count(*) FROM country_scores),"
        " (SELECT sum(score) FROM country_scores), (SELECT count(*) FROM interest_scores)"
    )
    names = ("answers", "answers", "points", "value", "countries", "country_score", "interests")
    if found != [expected[name] for name in names]:
        sys.exit(f"{database.name} holds {found}, but {expected} were served")


def line(database, side, r):
    own = f" ({r['own']:,.0f}/s without its start)" if r["own"] else ""
    index = f", {r['index']:,.0f} of the index" if r["index"] else ""
    return (
        f"{database:8} {side:10} {r['wall']:6.2f} s {r['rate']:7,.0f}/s {r['cpu']:5.2f} s CPU"
        f" {r['megabytes']:4.0f} MB {r['bytes']:6,.0f} bytes an answer{index}{own}"
    )


def report(results, options):
    print(f"\nmedians of {options.runs} runs of {options.answers:,} answers")
    medians = {}
    for (database, side), runs in results.items():
        medians[database, side] = {
            name: statistics.median(r[name] for r in runs) if runs[0][name] is not None else None for name in runs[0]
        }
        print(line(database, side, medians[database, side]))
    for database in support.DATABASES:
        if (database, SIDES[0]) in medians and (database, SIDES[1]) in medians:
            ours, theirs = (medians[database, side] for side in SIDES)
            print(
                f"{database:8} soundwatch / aiohttp: {ours['rate'] / theirs['rate']:.2f}"
                f" ({ours['rate'] / theirs['own']:.2f} against its own clock)"
            )


main()
