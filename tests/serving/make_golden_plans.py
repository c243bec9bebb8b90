"""Write tests/golden/serving/plans.json: `python -m tests.serving.make_golden_plans`.

Indexes with the way from each release, found by trying all ways, and indexes that are refused.
Python's planner and Java's are held to it.
"""

import json
import random
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden" / "serving" / "plans.json"
DIGEST = "ab" * 32


def release(number):
    return {"release": number, "size": 1000 + number, "sha256": f"{number:064x}"}


def archive(number, base, size, name=None):
    made = f"{number}.sqz" if base is None else f"{base}-{number}.sqz"
    entry = {"name": name or made, "release": number, "base": base}
    return {**entry, "size": size, "sha256": DIGEST}


def index(numbers, archives, expires=None):
    made = [release(number) for number in numbers]
    return {"version": 1, "expires": expires, "releases": made, "archives": archives}


def best(made, have):
    """Return the way of fewest bytes, then fewest archives, by trying all.

    Of equal ones, that whose last archive stands first; if they end alike, the one before, ...
    """
    target = made["releases"][-1]["release"]
    place = {id(one): number for number, one in enumerate(made["archives"])}
    found = []

    def follow(at, way):
        if at == target:
            places = [place[id(one)] for one in reversed(way)]
            found.append((sum(one["size"] for one in way), len(way), places, way))
            return
        for one in made["archives"]:
            if one["base"] == at and one not in way:
                follow(one["release"], [*way, one])

    follow(have, [])
    if have is not None and have != target:
        follow(None, [])
    return [one["name"] for one in min(found)[-1]] if found else None


def plans():
    cases = {
        "one release": index([1], [archive(1, None, 100)]),
        "an update": index([1, 2], [archive(2, None, 100), archive(2, 1, 10)]),
        "two updates instead of one": index(
            [1, 2, 3], [archive(3, None, 90), archive(3, 1, 25), archive(2, 1, 10),
                        archive(3, 2, 14)]),
        "the whole archive is smaller than the updates": index(
            [1, 2, 3], [archive(3, None, 20), archive(2, 1, 11), archive(3, 2, 12)]),
        "an older whole archive and an update": index(
            [1, 2], [archive(1, None, 50), archive(2, None, 90), archive(2, 1, 10)]),
        "equally many bytes": index(
            [0, 5, 9], [archive(9, 0, 20), archive(5, 0, 10), archive(9, 5, 10),
                        archive(9, None, 40)]),
        "equally many bytes and archives": index(
            [0, 3, 5, 9], [archive(9, 5, 10), archive(9, 3, 10), archive(3, 0, 10, "third"),
                           archive(5, 0, 10, "fifth"), archive(5, 0, 10, "again")]),
        "no way": index([1, 2], [archive(1, None, 50)]),
        "an empty archive": index([1, 2], [archive(2, 1, 0), archive(2, None, 5)]),
    }  # fmt: skip
    generator = random.Random(5)
    for number in range(12):
        numbers = sorted(generator.sample(range(30), 6))
        pairs = [(new, old) for new in numbers for old in numbers if old < new]
        chosen = generator.sample(pairs, generator.randint(3, len(pairs)))
        archives = [archive(new, old, generator.randint(1, 10**6)) for new, old in chosen]
        archives += [archive(n, None, generator.randint(1, 3 * 10**6)) for n in numbers[::2]]
        generator.shuffle(archives)
        cases[f"random {number}"] = index(numbers, archives, 2_000_000_000 + number)
    for name, made in cases.items():
        starts = [None, *(one["release"] for one in made["releases"])]
        yield {"name": name, "index": made, "ways": [[at, best(made, at)] for at in starts]}


def refused():
    fine = index([1, 2], [archive(2, None, 100), archive(2, 1, 10)])
    damaged = "damaged"

    def changed(name, value, place="archives", number=1):
        copy = json.loads(json.dumps(fine))
        copy[place][number][name] = value
        return json.dumps(copy)

    def top(**changes):
        return json.dumps({**fine, **changes})

    outside = "../2.sqz", "/etc/passwd", "a/b", "a\\b", ".hidden", "%2e%2e"
    for name in (*outside, "", "a b", "ä", "a?b", "x" * 101):
        yield f"name {name[:20]!r}", "is not a name of a file", changed("name", name)
    yield "name with a line break", "is not a name of a file", changed("name", "a.sqz\n")
    yield "a newer version", "update sqzkit", top(version=2)
    yield "version 0", damaged, top(version=0)
    yield "version as text", damaged, top(version="1")
    yield "version as a truth value", damaged, top(version=True)
    yield "negative expiry", damaged, top(expires=-1)
    yield "expiry as a fraction", damaged, top(expires=1.5)
    yield "no releases", "not in order", top(releases=[], archives=[])
    yield "releases out of order", "not in order", top(releases=[release(2), release(1)])
    yield "a release twice", "not in order", top(releases=[release(1), release(2), release(2)])
    yield "a negative release", "not in order", top(releases=[release(-1), *fine["releases"]])
    yield "an unknown field", damaged, top(key="value")
    yield "an unknown field of an archive", damaged, changed("url", "https://example.org")
    yield "an object instead of a list", damaged, top(archives={})
    yield "a number instead of an archive", damaged, top(archives=[1])
    yield "a size below 0", "size or SHA-256", changed("size", -1)
    yield "a size above the limit", "size or SHA-256", changed("size", (256 << 20) + (1 << 16) + 1)
    yield "a release's size above", "size or SHA-256", changed("size", (256 << 20) + 1, "releases")
    yield "a size beyond 2^53", damaged, changed("size", (1 << 53) + 1)
    yield "a size of many digits", damaged, changed("size", 10**400)
    yield "a size as text", damaged, changed("size", "10")
    yield "a size as 1e1", damaged, changed("size", 10).replace('"size": 10,', '"size": 1e1,')
    yield "a short SHA-256", "size or SHA-256", changed("sha256", "ab" * 31)
    yield "a SHA-256 in capitals", "size or SHA-256", changed("sha256", "AB" * 32)
    yield "an unknown base", "not listed", changed("base", 0)
    yield "an unknown release", "not listed", changed("release", 3)
    yield "a base that is not older", "not older", changed("base", 2)
    yield from incomplete(fine)
    yield from not_json(json.dumps(fine))
    yield "not a number", damaged, changed("size", float("nan"))


def incomplete(fine):
    for field in ("version", "expires", "releases", "archives"):
        copy = {name: value for name, value in fine.items() if name != field}
        yield f"without {field}", "damaged", json.dumps(copy)
    for field in ("name", "release", "base", "size", "sha256"):
        copy = json.loads(json.dumps(fine))
        del copy["archives"][0][field]
        yield f"an archive without {field}", "damaged", json.dumps(copy)


def not_json(whole):
    wrong = {
        "nothing": "",
        "cut off": whole[:-1],
        "more behind": whole + "{}",
        "null": "null",
        "a list": "[]",
        "deep brackets": "[" * 5_000,
        "deep brackets in a field": '{"version":1,"archives":' + "[" * 5_000,
        "a comment": "/* index */" + whole,
        "single quotes": whole.replace('"', "'"),
        "capital null": whole.replace("null", "NULL"),
        "a comma too many": whole[:-1] + ",}",
        "a byte order mark": "\ufeff" + whole,
        "not UTF-8": whole.replace("1-2", "\udcff"),
    }
    for name, text in wrong.items():
        yield name, "damaged", text


def main():
    wrong = [{"name": name, "told": told, "text": text} for name, told, text in refused()]
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps({"plans": list(plans()), "refused": wrong}, indent=1) + "\n")


if __name__ == "__main__":
    main()
