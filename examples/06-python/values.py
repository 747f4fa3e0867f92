"""Values of typed tasks: the profile of CBOR in docs/protocol.md, "The payload of a typed task". Standard library alone.

    None, bool, int, float, str, list, dict with keys of str   as they are
    UNDEFINED                                                  `undefined`
    datetime (read in UTC)                                     `Date`
    bytes                                                      `Uint8Array`
    array.array                                                other typed arrays
    set, Map                                                   `Set`, `Map`; a Map is a list of pairs, as its keys may be anything
    Named                                                      an instance of a registered class
"""

import math
import struct
import sys
from array import array
from datetime import datetime, timedelta, timezone

MAX_INTEGER = 2**53 - 1
MAX_DEPTH, MAX_WRITTEN_DEPTH, MAX_ITEMS, MAX_BIGINT = 64, 32, 1 << 20, 1024
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# The letters of `array` for the tags of RFC 8746, little-endian.
VIEWS = {68: "B", 69: "H", 70: "I", 71: "Q", 72: "b", 77: "h", 78: "i", 79: "q", 85: "f", 86: "d"}
TAGS = {letter: tag for tag, letter in VIEWS.items()}


class Undefined:
    """The one UNDEFINED."""

    def __repr__(self):
        return "UNDEFINED"


UNDEFINED = Undefined()


class Map(list):
    """Pairs of a `Map`, in their order."""


class Named(tuple):
    """An instance of a registered class: the name of the class, and what stands for the instance."""


def encode(value):
    """Returns the bytes of a value. Raises ValueError for what cannot be carried."""
    out = bytearray()
    _write(out, value, 0)
    return bytes(out)


def _head(out, major, number):
    if number < 24:
        out.append(major << 5 | number)
        return
    for code, form in ((24, ">B"), (25, ">H"), (26, ">I"), (27, ">Q")):
        if number < 1 << 8 * struct.calcsize(form):
            out.append(major << 5 | code)
            out += struct.pack(form, number)
            return


def _write(out, value, depth):
    if depth > MAX_WRITTEN_DEPTH:
        raise ValueError(f"more than {MAX_WRITTEN_DEPTH} levels")
    if value is None or value is UNDEFINED or isinstance(value, bool):
        out.append({None: 0xF6, UNDEFINED: 0xF7, True: 0xF5, False: 0xF4}[value])
    elif isinstance(value, int):
        _write_int(out, value)
    elif isinstance(value, float):
        out += b"\xfb" + struct.pack(">d", value)
    elif isinstance(value, str):
        data = value.encode()
        _head(out, 3, len(data))
        out += data
    elif isinstance(value, (bytes, bytearray)):
        _head(out, 2, len(value))
        out += value
    elif isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone")
        out += b"\xc1\xfb" + struct.pack(">d", (value - EPOCH) / timedelta(seconds=1))
    elif isinstance(value, array):
        _write_view(out, value)
    else:
        _write_many(out, value, depth + 1)


def _write_int(out, value):
    if abs(value) <= MAX_INTEGER:
        return _head(out, 0 if value >= 0 else 1, value if value >= 0 else -1 - value)
    magnitude = value if value > 0 else -1 - value
    data = magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "big")
    if len(data) > MAX_BIGINT:
        raise ValueError(f"an integer of more than {MAX_BIGINT} bytes")
    _head(out, 6, 2 if value > 0 else 3)
    _head(out, 2, len(data))
    out += data
    return None


def _write_view(out, value):
    if value.typecode not in TAGS:
        raise ValueError(f"an array of the type {value.typecode}")
    elements = array(value.typecode, value)
    if sys.byteorder == "big":
        elements.byteswap()
    _head(out, 6, TAGS[value.typecode])
    _head(out, 2, len(elements) * elements.itemsize)
    out += elements.tobytes()


def _write_many(out, value, depth):
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a dict with keys that are no texts: use Map")
        pairs = value.items()
    elif isinstance(value, Map):
        _head(out, 6, 259)
        pairs = value
    elif isinstance(value, (list, set, Named)):
        if not isinstance(value, list):
            _head(out, 6, 258 if isinstance(value, set) else 27)
        _head(out, 4, len(value))
        for item in value:
            _write(out, item, depth)
        return
    else:
        raise ValueError(f"a {type(value).__name__} cannot be carried")
    _head(out, 5, len(pairs))
    for key, item in pairs:
        _write(out, key, depth)
        _write(out, item, depth)


def decode(data):
    """Returns the value of these bytes. Raises ValueError when they are malformed."""
    reader = _Reader(bytes(data))
    value = reader.item(0)
    if reader.at < len(reader.data):
        raise ValueError("bytes after the value")
    return value


class _Reader:
    def __init__(self, data):
        self.data, self.at, self.items = data, 0, 0

    def take(self, size):
        if size > len(self.data) - self.at:
            raise ValueError("it ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def head(self):
        first = self.take(1)[0]
        major, code = first >> 5, first & 31
        if code < 24:
            return major, code, code
        if code > 27:
            raise ValueError("an indefinite length, or a reserved one")
        form = {24: ">B", 25: ">H", 26: ">I", 27: ">Q"}[code]
        return major, code, struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def item(self, depth):
        if depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} levels")
        major, code, number = self.head()
        if major == 0:
            return number
        if major == 1:
            return -1 - number
        if major == 2:
            return self.take(number)
        if major == 3:
            return self.take(number).decode()
        if major == 4:
            return [self.item(depth + 1) for _ in self.counted(number)]
        if major == 5:
            return self.map(number, depth + 1)
        return self.tagged(number, depth + 1) if major == 6 else self.simple(code, number)

    def counted(self, count):
        self.items += count
        if count > len(self.data) - self.at or self.items > MAX_ITEMS:
            raise ValueError("more items than there is room for")
        return range(count)

    def map(self, count, depth, is_map=False):
        self.counted(count)  # keys, and in the loop their values
        pairs = Map((self.item(depth), self.item(depth)) for _ in self.counted(count))
        _check_once([key for key, _ in pairs])
        return dict(pairs) if not is_map and all(isinstance(key, str) for key, _ in pairs) else pairs

    def simple(self, code, number):
        if code in (25, 26, 27):
            # The head has read it as a whole number: back to its bytes.
            form, letter = {25: (">H", ">e"), 26: (">I", ">f"), 27: (">Q", ">d")}[code]
            value = struct.unpack(letter, struct.pack(form, number))[0]
            is_negative_zero = value == 0 and math.copysign(1, value) < 0
            is_whole = value.is_integer() and abs(value) <= MAX_INTEGER and not is_negative_zero
            return int(value) if is_whole else value
        if code not in (20, 21, 22, 23):
            raise ValueError("a simple value of no meaning")
        return {20: False, 21: True, 22: None, 23: UNDEFINED}[code]

    def tagged(self, tag, depth):
        if tag == 259:
            major, _, count = self.head()
            if major != 5:
                raise ValueError("tag 259 of no map")
            return self.map(count, depth, True)
        value = self.item(depth)
        if tag in VIEWS and isinstance(value, bytes):
            elements = array(VIEWS[tag])
            elements.frombytes(value)  # refuses what ends within an element
            if sys.byteorder == "big":
                elements.byteswap()
            return elements
        if tag in (0, 1):
            return _date(tag, value)
        if tag in (2, 3) and isinstance(value, bytes) and len(value) <= MAX_BIGINT:
            return int.from_bytes(value, "big") if tag == 2 else -1 - int.from_bytes(value, "big")
        if tag == 64 and isinstance(value, bytes):
            return value
        if tag == 258 and isinstance(value, list):
            _check_once(value)
            return set(value)  # of lists and dicts there are no sets here
        if tag == 27 and isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
            return Named(value)
        raise ValueError(f"tag {tag} has no meaning here")


def _check_once(parts):
    known = [part for part in parts if isinstance(part, (int, float, str)) and not isinstance(part, bool)]
    if len(set(known)) < len(known):
        raise ValueError("a key or an item that is there twice")


def _date(tag, value):
    try:
        if tag == 0 and isinstance(value, str) and len(value) > 10:
            return datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(timezone.utc)
        if tag == 1 and isinstance(value, (int, float)) and not isinstance(value, bool):
            return EPOCH + timedelta(milliseconds=round(value * 1000))
    except (OverflowError, ValueError, TypeError) as error:
        raise ValueError("no date") from error
    raise ValueError("no date")
