"""Makes rewards.json: what validators and experts earn, from the seed's text alone and in exact fractions.

Run `python3 test/vectors/rewards.py`. Nothing of this repository's code is used: seed 004, "Validator Rewards" and
"Dynamic Reward Formula". Amounts are base units (1 BLY is 10**9); every result is rounded down once, at the end.
"""

import json
import random
from fractions import Fraction
from pathlib import Path

COIN = 10**9
MOST = 10**18


def validator_reward(base, blocks_signed, total_blocks, uptime, latency_ms, limit_ms, invalid_signatures, penalties):
    participation_rate = min(Fraction(1), Fraction(blocks_signed, total_blocks))
    reward = base * participation_rate
    reward *= 1 + min(Fraction(1), uptime)
    if latency_ms is not None and latency_ms < limit_ms:
        reward *= Fraction("1.1")
    if invalid_signatures == 0:
        reward *= Fraction("1.2")
    reward -= penalties
    return max(Fraction(0), reward)


def expert_reward(base, call_count, holder_calls, response_seconds, quality_score, idle_seconds):
    usage_factor = min(Fraction(call_count, 100), Fraction(2))
    speed_factor = max(Fraction("0.5"), 2 - response_seconds)
    quality_factor = 1 + quality_score
    recency_factor = Fraction(1) if idle_seconds <= 3600 else Fraction("0.8")
    whole = base * usage_factor * speed_factor * quality_factor * recency_factor
    return whole * Fraction(holder_calls, call_count)


def down(value):
    return value.numerator // value.denominator


def validator_case(base, signed, total, present, span, late, measured, limit, invalid, penalties):
    latency = None if measured == 0 else Fraction(late, measured)
    reward = validator_reward(base, signed, total, Fraction(present, span), latency, limit, invalid, penalties)
    return {
        "baseUnits": str(base),
        "committed": signed,
        "rounds": total,
        "presentMs": present,
        "spanMs": span,
        "lateMsTotal": late,
        "roundsMeasured": measured,
        "speedLimitMs": limit,
        "invalid": invalid,
        "penaltyUnits": str(penalties),
        "rewardUnits": str(down(reward)),
    }


def expert_case(base, expert_calls, calls, response_ms_total, score_ppm, idle_ms):
    reward = expert_reward(
        base,
        expert_calls,
        calls,
        Fraction(response_ms_total, calls) / 1000,
        Fraction(score_ppm, 10**6),
        Fraction(idle_ms, 1000),
    )
    return {
        "baseUnits": str(base),
        "expertCalls": expert_calls,
        "calls": calls,
        "responseMsTotal": response_ms_total,
        "scorePpm": score_ppm,
        "idleMs": idle_ms,
        "rewardUnits": str(down(reward)),
    }


def validator_cases(chance):
    base, hour = 1000 * COIN, 3_600_000
    yield validator_case(base, 3600, 3600, hour, hour, 0, 3600, 100, 0, 0)
    yield validator_case(base, 0, 3600, 0, hour, 0, 0, 100, 0, 0)
    yield validator_case(base, 5000, 3600, 2 * hour, hour, 0, 1, 100, 0, 0)
    yield validator_case(base, 3600, 3600, hour, hour, 100, 1, 100, 0, 0)
    yield validator_case(base, 3600, 3600, hour, hour, 99_999, 1000, 100, 0, 0)
    yield validator_case(base, 3600, 3600, hour, hour, 100_000, 1000, 100, 0, 0)
    yield validator_case(base, 3600, 3600, hour, hour, 0, 3600, 100, 1, 0)
    yield validator_case(base, 3600, 3600, hour, hour, 0, 3600, 100, 0, 2640 * COIN)
    yield validator_case(base, 3600, 3600, hour, hour, 0, 3600, 100, 0, 2640 * COIN - 1)
    yield validator_case(base, 3600, 3600, hour, hour, 0, 3600, 100, 3, MOST)
    yield validator_case(MOST, 1, 1, 1, 1, 0, 1, 1, 0, 0)
    yield validator_case(1, 1, 3, 1, 3, 0, 0, 100, 0, 0)
    yield validator_case(0, 1, 3, 1, 3, 0, 0, 100, 0, 0)
    yield validator_case(1, 2**40, 2**40, 2**42, 2**42, 2**40, 2**40, 100, 0, 0)
    for _ in range(146):
        total = chance.choice([1, 7, 60, 3600, 36_000, 2**31])
        span = chance.choice([1, 999, 30_000, hour, 2**41])
        measured = chance.choice([0, 1, 59, 3599])
        limit = chance.choice([1, 100, 250])
        yield validator_case(
            chance.choice([1, 7, COIN, base, 123_456_789_123, MOST]),
            chance.randint(0, total + total // 8),
            total,
            chance.randint(0, span),
            span,
            chance.randint(0, 2 * limit * measured),
            measured,
            limit,
            chance.choice([0, 0, 0, 1, 5]),
            chance.choice([0, 0, 1, COIN, 500 * COIN, 100_000 * COIN]),
        )


def expert_cases(chance):
    base = 10 * COIN
    yield expert_case(base, 100, 100, 0, 0, 0)
    yield expert_case(base, 200, 200, 0, 1_000_000, 0)
    yield expert_case(base, 201, 201, 0, 1_000_000, 0)
    yield expert_case(base, 1_000_000, 1_000_000, 0, 1_000_000, 3_600_001)
    yield expert_case(base, 100, 100, 150_000, 0, 3_600_000)
    yield expert_case(base, 100, 100, 149_999, 0, 3_600_000)
    yield expert_case(base, 100, 100, 150_001, 0, 3_600_001)
    yield expert_case(base, 100, 1, 10**9, 0, 0)
    yield expert_case(base, 3, 1, 1, 333_333, 0)
    yield expert_case(1, 1, 1, 0, 0, 0)
    yield expert_case(MOST, 2**40, 2**40, 2**40, 999_999, 10**12)
    for _ in range(129):
        expert_calls = chance.choice([1, 2, 99, 100, 150, 200, 777, 10**6])
        calls = chance.randint(1, expert_calls)
        yield expert_case(
            chance.choice([1, COIN, base, 98_765_432_101, MOST]),
            expert_calls,
            calls,
            chance.randint(0, chance.choice([1, 500, 2500]) * calls),
            chance.choice([0, 1, 500_000, 1_000_000, chance.randint(0, 1_000_000)]),
            chance.choice([0, 3_599_999, 3_600_000, 3_600_001, 10**9]),
        )


def main():
    chance = random.Random(4)
    vectors = {"validators": list(validator_cases(chance)), "experts": list(expert_cases(chance))}
    lines = []
    for name, cases in vectors.items():
        rows = ",\n".join("    " + json.dumps(case) for case in cases)
        lines.append(f'  "{name}": [\n{rows}\n  ]')
    Path(__file__).with_suffix(".json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
