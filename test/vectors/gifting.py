"""Makes gifting.json: what gifted nodes earn in a period, from docs/protocol.md ("Incentives of gifted nodes") and seed 003.

Run `python3 test/vectors/gifting.py`. Nothing of this repository's code is used. Everything is counted in exact fractions
and rounded down only where the text says so: points, the uptime factor (to parts per million), the value in AUR base
units, the amount of each coin, and the gifter's part.
"""

import json
import random
from fractions import Fraction
from pathlib import Path

COINS = ("GEN", "NEX", "FLX", "AUR")
MULTIPLIER = {"GEN": 1000, "NEX": 100, "FLX": 10, "AUR": 1}
PART = {"GEN": Fraction("0.1"), "NEX": Fraction("0.3"), "FLX": Fraction("0.5"), "AUR": Fraction("0.1")}
MADE_FOR = {"core": "GEN", "notary": "NEX", "registry": "FLX", "cluster": "FLX", "parachain": "AUR"}
MILLION = 10**6
GIB = 2**30


def down(value):
    return Fraction(value).numerator // Fraction(value).denominator


def kind_points(value):
    return min(1000, value)


def points_of(has, specialisation):
    computing = kind_points(10 * has["cores"] + down(Fraction(has["megaflops"], 100)))
    memory = kind_points(down(Fraction(4 * has["memoryBytes"], GIB)))
    storage = kind_points(
        down(Fraction(has["diskFreeBytes"], 8 * GIB)) + down(Fraction(has["diskWriteBytesPerSecond"], 2**24))
    )
    round_trip = has["roundTripMs"]
    network = kind_points(has["peers"] + (0 if round_trip is None else down(Fraction(10_000, 100 + round_trip))))
    raw = {"GEN": computing, "NEX": memory + storage, "FLX": computing + memory + network, "AUR": network}
    return {coin: raw[coin] if MADE_FOR[specialisation] == coin else down(Fraction(raw[coin], 2)) for coin in COINS}


def factor_of(uptime, promised):
    if uptime >= promised:
        return promised
    return Fraction(down(uptime * uptime / promised * MILLION), MILLION)


def case(has, specialisation, promised_ppm, uptime_ppm, span, length, served, bonus_ppm, point_units, served_ppm):
    points = points_of(has, specialisation)
    factor = factor_of(Fraction(uptime_ppm, MILLION), Fraction(promised_ppm, MILLION))
    value, wanted = {}, {}
    for coin in COINS:
        given = down(points[coin] * point_units * factor * Fraction(span, length))
        matched = down(Fraction(served[coin] * MULTIPLIER[coin] * served_ppm, MILLION))
        value[coin] = given + matched
        wanted[coin] = down(value[coin] * PART[coin] * (1 + Fraction(bonus_ppm, MILLION)) / MULTIPLIER[coin])
    return {
        "contribution": {
            "resources": has,
            "specialisation": specialisation,
            "committedPpm": promised_ppm,
            "uptimePpm": uptime_ppm,
            "spanMs": span,
            "lengthMs": length,
            "served": {coin: str(served[coin]) for coin in COINS},
            "bonusPpm": bonus_ppm,
        },
        "pointUnits": str(point_units),
        "servedPpm": str(served_ppm),
        "points": points,
        "factorPpm": down(factor * MILLION),
        "value": {coin: str(value[coin]) for coin in COINS},
        "wanted": {coin: str(wanted[coin]) for coin in COINS},
    }


def paid_case(wanted, allowed, share_ppm):
    """What each of several nodes is paid of one coin, and its gifter's part of it."""
    whole = sum(wanted)
    paid = [one if whole <= allowed else down(Fraction(one * allowed, whole)) for one in wanted]
    return {
        "wanted": [str(one) for one in wanted],
        "allowed": str(allowed),
        "sharePpm": share_ppm,
        "paid": [str(one) for one in paid],
        "forGifter": [str(down(Fraction(one * share_ppm, MILLION))) for one in paid],
    }


def main():
    rng = random.Random("gifted nodes")
    small = dict(
        cores=2, megaflops=3100, memoryBytes=4 * GIB, diskFreeBytes=20 * GIB,
        diskWriteBytesPerSecond=90_000_000, peers=4, roundTripMs=12,
    )
    none = dict.fromkeys(COINS, 0)
    usual = (10_000_000, 50_000)
    cases = [
        case(small, "core", 990_000, 1_000_000, 3_600_000, 3_600_000, none, 0, *usual),
        case(small, "notary", 990_000, 989_999, 3_600_000, 3_600_000, none, 0, *usual),
        case(small, "registry", 0, 0, 3_600_000, 3_600_000, none, 0, *usual),
        case(small, "cluster", 1_000_000, 500_000, 1, 3_600_000, none, 200_000, *usual),
        case({**small, "roundTripMs": None, "peers": 0}, "parachain", 900_000, 950_000, 0, 1000,
             {"GEN": 1, "NEX": 19, "FLX": 199, "AUR": 1_999_999_999}, 0, *usual),
        case({**small, "cores": 4096, "megaflops": 10**9, "memoryBytes": 2**50, "diskFreeBytes": 2**50, "peers": 10_000},
             "core", 1_000_000, 1_000_000, 3_600_000, 3_600_000, none, 0, *usual),
    ]
    for _ in range(80):
        has = dict(
            cores=rng.randint(1, 128),
            megaflops=rng.randint(0, 200_000),
            memoryBytes=rng.randint(0, 2**39),
            diskFreeBytes=rng.randint(0, 2**44),
            diskWriteBytesPerSecond=rng.randint(0, 2**33),
            peers=rng.randint(0, 100),
            roundTripMs=rng.choice([None, rng.randint(0, 2000)]),
        )
        length = rng.randint(1000, 10**8)
        served = {coin: rng.choice([0, rng.randint(0, 10**15)]) for coin in COINS}
        cases.append(
            case(has, rng.choice(list(MADE_FOR)), rng.randint(0, MILLION), rng.randint(0, MILLION),
                 rng.randint(0, length), length, served, rng.choice([0, rng.randint(0, MILLION)]),
                 rng.randint(0, 10**12), rng.randint(0, MILLION))
        )
    paid = [
        paid_case([rng.randint(0, 10**rng.randint(1, 18)) for _ in range(rng.randint(1, 6))],
                  rng.randint(0, 10**rng.randint(1, 18)), rng.randint(0, MILLION))
        for _ in range(50)
    ]
    rows = ",\n    ".join(json.dumps(one) for one in cases)
    payments = ",\n    ".join(json.dumps(one) for one in paid)
    text = f'{{\n  "cases": [\n    {rows}\n  ],\n  "payments": [\n    {payments}\n  ]\n}}\n'
    Path(__file__).with_name("gifting.json").write_text(text)


main()
