"""Manners: 60 targets against a server that allows 20 requests a second and says when to come back.

nginx answers 429 with `Retry-After: 1` beyond 20/s and a burst of 5; soundwatch is set to 50/s with 8 in
flight, so it has to listen. Run by scripts/bench-manners.
"""

import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

import support

TARGETS = 60


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--binary", help="the soundwatch to measure (else the newest of target/dist and release)")
    soundwatch = support.binary(options.parse_args().binary)

    support.WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        answers = directory / "answers"
        subprocess.run(
            [sys.executable, pathlib.Path(__file__).parent / "collect" / "answers.py", answers, str(TARGETS)],
            check=True,
        )
        log = directory / "access.log"
        http = f"""
            log_format statuses "$status"; access_log {log} statuses;
            limit_req_zone $server_port zone=all:64k rate=20r/s;
            server {{
                listen 127.0.0.1:PORT;
                location = /v1/tiktok/trending/music/detail {{
                    limit_req zone=all burst=5 nodelay; limit_req_status 429;
                    root {answers}; default_type application/json; try_files /$arg_clip_id.json =404;
                }}
                error_page 429 = @later;
                location @later {{ add_header Retry-After 1 always; return 429; }}
            }}"""
        with support.nginx(directory, http) as url:
            database = support.Sqlite(directory)
            clip_ids = (answers / "clip_ids.txt").read_text().split()
            configuration = support.write_configuration(
                directory, url, database, clip_ids, per_second=50, in_flight=8
            )
            used = support.measured([soundwatch, "--config", configuration, "collect", "--all"], support.KEY)
        statuses = collections.Counter(log.read_text().split())
        stored = database.scalars("SELECT count(*) FROM snapshots")[0]
        attempts, credits = database.scalars("SELECT count(*), sum(credits) FROM attempts")

    print(f"{stored} of {TARGETS} stored with {statuses.total()} requests in {used.wall:.1f} s (exit {used.code})")
    print(f"answers by status: {json.dumps(dict(sorted(statuses.items())))}")
    print(f"in the ledger: {attempts} attempts, {credits} credits")
    if stored < TARGETS:
        sys.exit(used.output[-4000:])


main()
