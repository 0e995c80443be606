"""Decodes codecs.json from docs/protocol.md, "Deltas", alone; it shares no code with src/. Run by hand when a format changes."""
import hashlib
import json
import pathlib
import struct

CHUNK = 4096
NAMES = ["fp32", "int8", "int4", "topk20-int8", "k410-2b", "k256-2b", "lr8+k32", "lr16+k32", "lr8-int8", "lr4+k16",
         "k64-2b", "k64-2b-rice", "seed-v0", "lr8-4b+k512-1b", "lr8-4b+k56-1b"]
RANKS = {"lr8+k32": (8, 16, 8), "lr16+k32": (16, 16, 8), "lr8-int8": (8, 16, 8), "lr4+k16": (4, 32, 8),
         "seed-v0": (8, 16, 8), "lr8-4b+k512-1b": (8, 32, 4), "lr8-4b+k56-1b": (8, 64, 4)}
SPARSE = {"topk20-int8": (820, "bitmap", "int8"), "k410-2b": (410, "bitmap", "pairs"),
          "k256-2b": (256, "packed", "pairs"), "lr8+k32": (32, "packed", "pairs"), "lr16+k32": (32, "packed", "pairs"),
          "lr4+k16": (16, "packed", "pairs"), "k64-2b": (64, "packed", "pairs"), "k64-2b-rice": (64, "rice", "pairs"),
          "lr8-4b+k512-1b": (512, "rice", "signs"), "lr8-4b+k56-1b": (56, "rice", "signs")}


def fp32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def bfloat(low, high):
    return struct.unpack("<f", bytes([0, 0, low, high]))[0]


def signed(byte, bits=8):
    return byte - (1 << bits) if byte >= 1 << (bits - 1) else byte


def scaled(data, length, bits, block):
    blocks = -(-length // block)
    values = []
    for at in range(length):
        scale = bfloat(data[2 * (at // block)], data[2 * (at // block) + 1])
        if bits == 8:
            code = signed(data[2 * blocks + at])
        else:
            code = signed((data[2 * blocks + at // 2] >> (4 * (at % 2))) & 15, 4)
        values.append(fp32(code * scale))
    assert len(data) == 2 * blocks + -(-length * bits // 8)
    return values


def factor(data, start, rows, rank, bits):
    scales = [bfloat(data[start + 2 * k], data[start + 2 * k + 1]) for k in range(rank)]
    at = start + 2 * rank

    def code(index):
        if bits == 8:
            return signed(data[at + index])
        return signed((data[at + index // 2] >> (4 * (index % 2))) & 15, 4)

    rows_of = [[fp32(code(row * rank + k) * scales[k]) for k in range(rank)] for row in range(rows)]
    return rows_of, at + -(-rows * rank * bits // 8)


def low_rank(data, layout, values, name):
    """Puts the products in place; returns where the factors end and which blocks had none."""
    at, others = 0, []
    for block in layout["blocks"]:
        rank = 0
        shorter = min(block["rows"], block["columns"])
        if name in RANKS and shorter >= 16:
            most, side, code_bits = RANKS[name]
            rank = min(most, max(1, shorter // side))
        if rank == 0:
            others.append(block)
            continue
        left, at = factor(data, at, block["rows"], rank, code_bits)
        right, at = factor(data, at, block["columns"], rank, code_bits)
        for i in range(block["rows"]):
            for j in range(block["columns"]):
                total = 0.0
                for k in range(rank):
                    total = fp32(total + fp32(left[i][k] * right[j][k]))
                values[block["offset"] + i * block["columns"] + j] = total
    return at, others


def bits_of(data):
    for byte in data:
        for bit in range(8):
            yield (byte >> bit) & 1


def places_of(data, kind, chunks):
    """All places of all chunks, and where they end."""
    found, at = [], 0
    if kind == "rice":
        low = data[0]
        bits = bits_of(data[1:])
        used = 0
        for elements, kept in chunks:
            places, start = [], 0
            for _ in range(kept):
                gap = 0
                while next(bits):
                    gap += 1
                used += gap + 1 + low
                for _ in range(low):
                    gap = gap * 2 + next(bits)
                places.append(start + gap)
                start = places[-1] + 1
            found.append(places)
        return found, 1 + -(-used // 8)
    for elements, kept in chunks:
        if kind == "bitmap":
            size = -(-elements // 8)
            places = [i for i, bit in enumerate(bits_of(data[at:at + size])) if bit]
        else:
            size = -(-kept * 12 // 8)
            number = int.from_bytes(data[at:at + size], "little")
            places = [(number >> (12 * i)) & 4095 for i in range(kept)]
        assert len(places) == kept and places == sorted(set(places)) and places[-1] < elements
        found.append(places)
        at += size
    return found, at


def sparse(data, length, values, name):
    kept_of_whole, kind, value_kind = SPARSE[name]
    chunks = []
    for start in range(0, length, CHUNK):
        elements = min(CHUNK, length - start)
        chunks.append((elements, -(-kept_of_whole * elements // CHUNK)))
    head = {"int8": 2 * len(chunks), "pairs": 4 + 2 * len(chunks), "signs": 4 + len(chunks)}[value_kind]
    places, size = places_of(data[head:], kind, chunks)
    at = head + size
    top = struct.unpack_from("<f", data, 0)[0]

    def level(code):
        return 0.0 if code == 255 else fp32(top * EIGHTHS[code % 8] / 2 ** (code // 8))

    for chunk, chosen in enumerate(places):
        if value_kind == "int8":
            scale = bfloat(data[2 * chunk], data[2 * chunk + 1])
            found = [fp32(signed(data[at + i]) * scale) for i in range(len(chosen))]
            at += len(chosen)
        else:
            width = 2 if value_kind == "pairs" else 1
            levels = [level(data[4 + width * chunk + i]) for i in range(width)]
            found = []
            for i in range(len(chosen)):
                code = (data[at + width * i // 8] >> (width * i % 8)) & (2 ** width - 1)
                found.append((-1 if code & 1 else 1) * levels[code >> 1])
            at += -(-width * len(chosen) // 8)
        for place, value in zip(chosen, found):
            values[chunk * CHUNK + place] = fp32(values[chunk * CHUNK + place] + value)
    assert at == len(data)


EIGHTHS = [1, 0.9170040432046712, 0.8408964152537145, 0.7711054127039704, 0.7071067811865476, 0.6484197773255048,
           0.5946035575013605, 0.5452538663326288]


def decode(name, data, layout):
    length = layout["length"]
    if name == "fp32":
        return list(struct.unpack(f"<{length}f", data))
    if name in ("int8", "int4"):
        return scaled(data, length, *((8, 256) if name == "int8" else (4, 128)))
    values = [0.0] * length
    at, others = low_rank(data, layout, values, name)
    if name in SPARSE:
        sparse(data[at:], length, values, name)
        return values
    rest = scaled(data[at:], sum(b["rows"] * b["columns"] for b in others), 8, 256)
    for block in others:
        size = block["rows"] * block["columns"]
        values[block["offset"]:block["offset"] + size], rest = rest[:size], rest[size:]
    return values


def cbor(data, at=0):
    kind, extra = data[at] >> 5, data[at] & 31
    at += 1
    number = extra
    if extra >= 24:
        size = 1 << (extra - 24)
        number = int.from_bytes(data[at:at + size], "big")
        at += size
    if kind == 0:
        return number, at
    if kind in (2, 3):
        item = data[at:at + number]
        return (item.decode() if kind == 3 else item), at + number
    if kind == 4:
        items = []
        for _ in range(number):
            item, at = cbor(data, at)
            items.append(item)
        return items, at
    assert kind == 5
    fields = {}
    for _ in range(number):
        key, at = cbor(data, at)
        fields[key], at = cbor(data, at)
    return fields, at


def digest(values):
    return hashlib.sha256(struct.pack(f"<{len(values)}f", *values)).hexdigest()


def main():
    vectors = json.loads((pathlib.Path(__file__).parent / "codecs.json").read_text())
    layout = vectors["layout"]
    for codec in vectors["codecs"]:
        assert NAMES[codec["id"]] == codec["name"]
        for one in codec["rounds"]:
            data = bytes.fromhex(one["bytesHex"])
            assert len(data) <= codec["sizeBytesMax"], codec["name"]
            assert digest(decode(codec["name"], data, layout)) == one["decodedDigest"], codec["name"]
    data = bytes.fromhex(vectors["file"]["fileHex"])
    assert data[:8] == b"BLYDELTA"
    version, head_size, list_size = struct.unpack_from("<III", data, 8)
    assert version == 1
    head, at = cbor(data, 20)
    assert at == 20 + head_size
    wanted = vectors["file"]["header"]
    assert head == {**wanted, "codec": NAMES.index(wanted["codec"])}
    rows, at = cbor(data, at)
    assert at == 20 + head_size + list_size
    assert [row[0] for row in rows] == vectors["file"]["parts"]
    for part, tile, tag, length, codec, size, said in rows:
        assert tag == hashlib.sha256(b"bafybase").digest()[:8] and length == layout["length"] and tile == 0
        assert digest(decode(NAMES[codec], data[at:at + size], layout))[:32] == said.hex()
        at += size
    assert at == len(data)
    print(f"{len(vectors['codecs'])} codecs and a delta file are as described")


main()
