"""Reads test/golden/values.json with cbor2, compares, and writes a few values back: {"wrong": [...], "written": {...}} as JSON."""

import datetime
import json
import math
import struct
import sys

import cbor2

# The letters of struct for the typed arrays, by tag and name.
VIEWS = {
    68: ("$Uint8ClampedArray", "B"),
    69: ("$Uint16Array", "H"),
    70: ("$Uint32Array", "I"),
    71: ("$BigUint64Array", "Q"),
    72: ("$Int8Array", "b"),
    77: ("$Int16Array", "h"),
    78: ("$Int32Array", "i"),
    79: ("$BigInt64Array", "q"),
    85: ("$Float32Array", "f"),
    86: ("$Float64Array", "d"),
}


def unpacked(letter, data):
    return list(struct.unpack(f"<{len(data) // struct.calcsize(letter)}{letter}", data))


def tag_hook(decoder, tag, _shareable=None):
    if tag.tag in VIEWS:
        name, letter = VIEWS[tag.tag]
        return (name, unpacked(letter, tag.value))
    return tag.value if tag.tag in (64, 259) else tag


def described(value):
    """What a description in the file stands for, in Python."""
    if isinstance(value, list):
        return [described(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or not next(iter(value)).startswith("$"):
        return {key: described(item) for key, item in value.items()}
    kind, content = next(iter(value.items()))
    if kind == "$undefined":
        return cbor2.undefined
    if kind == "$number":
        return float(content.replace("Infinity", "inf"))
    if kind == "$bigint":
        return int(content)
    if kind == "$date":
        return datetime.datetime.fromisoformat(content.replace("Z", "+00:00"))
    if kind == "$bytes":
        return bytes.fromhex(content)
    if kind == "$set":
        return set(described(content))
    if kind == "$map":
        return {described(key): described(item) for key, item in content}
    return (kind, [int(item) if isinstance(item, str) else item for item in content])


def same(one, other):
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, datetime.datetime):
        return abs(one - other) < datetime.timedelta(milliseconds=1)
    if isinstance(one, float) and one == 0:
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


wrong = []
with open(sys.argv[1], encoding="utf-8") as file:
    for entry in json.load(file)["values"]:
        for form in [entry["hex"], *entry.get("reads", [])]:
            read = cbor2.loads(bytes.fromhex(form), tag_hook=tag_hook)
            if not same(described(entry["value"]), read):
                wrong.append(f"{entry['name']}: {form} is {read!r}")

UTC = datetime.timezone.utc
written = {
    "whole": {
        "image": b"\x89PNG",
        "width": 200,
        "scale": 0.1,
        "at": datetime.datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC),
        "tags": [None, True, cbor2.undefined, "é漢😀"],
        "ids": {1, 2},
        "big": 2**70,
        "odd": {1: "one", "two": 2},
    },
    "large": 2**63,
    "half": math.inf,
    "floats": cbor2.CBORTag(86, struct.pack("<2d", 1.5, -2)),
}
print(json.dumps({"wrong": wrong, "written": {name: cbor2.dumps(value).hex() for name, value in written.items()}}))
