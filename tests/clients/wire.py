# SPDX-License-Identifier: LGPL-2.1-or-later
"""Protocol Buffers, as much as CRI's messages take, without a compiler for them.

A message is a dictionary. Its schema says {field: (number, kind)}; a kind is str, bytes, int, bool, another schema,
[kind] for what is repeated, or MAP of strings. Fields that a schema does not name are passed over.
"""

MAP = {"key": (1, str), "value": (2, str)}
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


def _varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def _read_varint(data, place):
    number = shift = 0
    while True:
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, place


def _one(number, kind, value):
    if kind in (int, bool):
        return _varint(number << 3 | VARINT) + _varint(int(value))
    data = value.encode() if kind is str else value if kind is bytes else encode(kind, value)
    return _varint(number << 3 | LENGTH) + _varint(len(data)) + data


def encode(schema, values):
    """The bytes of a message; a field that the schema does not have is a KeyError."""
    out = b""
    for name, value in values.items():
        number, kind = schema[name]
        if kind is MAP:
            kind, value = [MAP], [{"key": key, "value": text} for key, text in value.items()]
        for each in value if isinstance(kind, list) else [value]:
            out += _one(number, kind[0] if isinstance(kind, list) else kind, each)
    return out


def _fields(data):
    place = 0
    while place < len(data):
        tag, place = _read_varint(data, place)
        wire = tag & 7
        if wire == VARINT:
            value, place = _read_varint(data, place)
        else:
            size = {FIXED64: 8, FIXED32: 4}.get(wire)
            if wire == LENGTH:
                size, place = _read_varint(data, place)
            value, place = data[place : place + size], place + size
        yield tag >> 3, value


def _value(kind, value):
    if kind is int:
        return value - (1 << 64) if value >> 63 else value
    if kind in (bool, bytes):
        return kind(value)
    return value.decode() if kind is str else decode(kind, value)


def _empty(kind):
    return [] if isinstance(kind, list) else {} if isinstance(kind, dict) else kind()


def decode(schema, data):
    """A message as a dictionary with every field of the schema; what was not sent is empty."""
    by_number = {number: (name, kind) for name, (number, kind) in schema.items()}
    message = {name: _empty(kind) for name, (_, kind) in schema.items()}
    for number, value in _fields(data):
        if number not in by_number:
            continue
        name, kind = by_number[number]
        if kind is MAP:
            entry = decode(dict(MAP), value)
            message[name][entry["key"]] = entry["value"]
        elif isinstance(kind, list):
            message[name].append(_value(kind[0], value))
        else:
            message[name] = _value(kind, value)
    return message
