"""Writes answers that all differ, made from the recorded one, and what adds up over all of them.

python3 answers.py DIRECTORY COUNT
"""

import json
import pathlib
import random
import sys
import uuid

RECORDED = pathlib.Path(__file__).resolve().parent.parent.parent / "tests" / "data" / "music_detail_US_7d.json"


def main(directory, count):
    directory.mkdir(parents=True, exist_ok=True)
    recorded = RECORDED.read_bytes()
    chance = random.Random(1)
    totals = {"answers": count, "points": 0, "countries": 0, "interests": 0, "country_score": 0, "value": 0}
    clip_ids = []
    for number in range(count):
        answer = json.loads(recorded)
        answer["requestId"] = str(uuid.UUID(int=chance.getrandbits(128)))
        sound = answer["data"]["sound"]
        clip_id = str(6_703_723_351_497_508_865 + number * 7_919)
        sound["clip_id"], sound["song_id"] = clip_id, str(int(clip_id) - 81_000_000)
        sound["title"], sound["author"] = f"New Sun {number}", f"Chihei Hatakeyama {number % 500}"
        sound["url_title"], sound["link"] = f"New-Sun-{number}", f"https://www.tiktok.com/music/x-{clip_id}"
        sound["duration"] = chance.randint(5, 180)

        peak = chance.randrange(7)
        for day, point in enumerate(sound["trend"]):
            point["value"] = 1 if day == peak else round(chance.random(), 2)
        scores = sorted((chance.randint(101, 2167) for _ in range(10)), reverse=True)
        chance.shuffle(sound["audience_countries"])
        for entry, score in zip(sound["audience_countries"], scores):
            entry["score"] = score
        for entry in sound["audience_interests"]:
            entry["score"] = chance.randint(101, 1200)

        totals["points"] += len(sound["trend"])
        totals["value"] += round(100 * sum(point["value"] for point in sound["trend"]))
        totals["countries"] += len(scores)
        totals["country_score"] += sum(scores)
        totals["interests"] += len(sound["audience_interests"])
        clip_ids.append(clip_id)
        (directory / f"{clip_id}.json").write_text(json.dumps(answer, indent=2))
    (directory / "clip_ids.txt").write_text("\n".join(clip_ids))
    (directory / "totals.json").write_text(json.dumps(totals))


main(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
