"""Reads test/golden/values.json with the codec of examples/06-python, writes each value again, and prints as JSON what is wrong."""

import json
import math
import sys

sys.path.insert(0, sys.argv[1])
from values import decode, encode  # noqa: E402


def same(one, other):
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return one == other and repr(one) == repr(other)


with open(sys.argv[2], encoding="utf-8") as file:
    golden = json.load(file)
wrong, written = [], {}
for entry in golden["values"]:
    name, hexes = entry["name"], [entry["hex"], *entry.get("reads", [])]
    try:
        value = decode(bytes.fromhex(entry["hex"]))
        written[name] = encode(value).hex()
        for text in [*hexes, written[name]]:
            if not same(decode(bytes.fromhex(text)), value):
                wrong.append(f"{name}: {text} is read as another value")
    except (ValueError, TypeError) as error:
        wrong.append(f"{name}: {error!r}")
for entry in golden["refused"]:
    try:
        decode(bytes.fromhex(entry["hex"]))
        wrong.append(f"{entry['name']}: taken")
    except ValueError:
        pass
    except Exception as error:  # any other is no refusal
        wrong.append(f"{entry['name']}: {error!r}")
print(json.dumps({"wrong": wrong, "written": written}))
