#!/usr/bin/env python3
"""Writes money.json: payloads of coins, ids of holds, fees, issuance and holds, by a path that shares no code with src/.

Standard library only. Run by hand when a rule changes: python3 test/vectors/money.py
"""
import hashlib
import json
import pathlib

UNITS = 10**9
YEAR_MS = 365 * 24 * 3600 * 1000


def head(major: int, n: int) -> bytes:
    for size, code in ((0, None), (1, 24), (2, 25), (4, 26), (8, 27)):
        if size == 0:
            if n < 24:
                return bytes([major << 5 | n])
        elif n < 1 << (8 * size):
            return bytes([major << 5 | code]) + n.to_bytes(size, 'big')
    raise ValueError(n)


def cbor(value) -> bytes:
    """RFC 8949, canonical as in DAG-CBOR: shorter keys first, then by bytes."""
    if value is None:
        return b'\xf6'
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, str):
        text = value.encode()
        return head(3, len(text)) + text
    keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
    return head(5, len(keys)) + b''.join(cbor(key) + cbor(value[key]) for key in keys)


def hold_id(payee: str, key: str) -> str:
    return hashlib.sha256(f'blyan/hold/1/{payee}/{key}'.encode()).hexdigest()[:32]


alice = 'z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2'
bob = 'z6MkjchhfUsD6mmvni8mCdXHw216Xrm9bQe2mBH1P5RDjVJG'
hold = hold_id(alice, 'answer-1')

# What may be left out of the JSON is in the payload with its usual value.
payloads = [
    ('transfer', {'to': bob, 'amount': '1500000000'}, {'to': bob, 'amount': '1500000000', 'coin': 'BLY', 'memo': '', 'key': ''}),
    ('transfer', {'to': bob, 'amount': '7', 'coin': 'GEN', 'memo': 'thanks', 'key': 'invoice-7'}, None),
    (
        'hold-quote',
        {'amount': '100', 'service': {'kind': 'inference'}, 'key': 'answer-1'},
        {
            'payer': None,
            'coin': 'BLY',
            'amount': '100',
            'service': {'kind': 'inference', 'expert': None, 'calls': 1, 'amount': 0},
            'key': 'answer-1',
        },
    ),
    (
        'hold-quote',
        {
            'payer': bob,
            'coin': 'AUR',
            'amount': '90071992547409930',
            'service': {'kind': 'storage', 'expert': 'layer0.expert0', 'calls': 70000, 'amount': 24},
            'key': 'answer-1',
        },
        None,
    ),
    ('hold-authorise', {'hold': hold, 'amount': '110'}, None),
    (
        'hold-capture',
        {'hold': hold, 'amount': '95', 'usage': {'calls': 11, 'responseMsTotal': 5000000000}},
        {'hold': hold, 'amount': '95', 'usage': {'calls': 11, 'amount': 0, 'responseMsTotal': 5000000000}},
    ),
    ('hold-credit', {'hold': hold}, None),
    ('hold-fail', {'hold': hold}, {'hold': hold, 'reason': ''}),
    ('hold-reverse', {'hold': hold, 'reason': 'wrong answer'}, None),
]

fees = [
    {'fee': str(fee), 'burntPpm': str(ppm), 'burnt': str(fee * ppm // 10**6), 'pool': str(fee - fee * ppm // 10**6)}
    for fee, ppm in ((10**6, 10_000), (199, 10_000), (1, 10_000), (99, 999_999), (7, 0))
]


def issue(circulating: int, steps: list) -> list:
    """Each step: (milliseconds since genesis, what is wanted, whether it is an emergency)."""
    year, base, issued, out = 0, 0, 0, []
    for at_ms, wanted, emergency in steps:
        if at_ms // YEAR_MS + 1 != year:
            year, base, issued = at_ms // YEAR_MS + 1, circulating, 0
        most = base // 10
        until_now = most if emergency else most * (at_ms % YEAR_MS) // YEAR_MS
        given = min(wanted, max(0, until_now - issued))
        issued += given
        circulating += given
        out.append({'atMs': at_ms, 'wanted': str(wanted), 'emergency': emergency, 'issued': str(given)})
    return out


everything = 10**26
hour = 3600 * 1000
issuance = issue(
    35_400_000 * UNITS,
    [
        (0, everything, False),
        (hour, everything, False),
        (2 * hour, 1000 * UNITS, False),
        (YEAR_MS // 2, everything, False),
        (YEAR_MS // 2, 500_000 * UNITS, True),
        (YEAR_MS // 2 + hour, everything, False),
        (YEAR_MS - 1, everything, False),
        (YEAR_MS, everything, False),
        (YEAR_MS + 1, everything, False),
        (2 * YEAR_MS - 1, everything, True),
    ],
)

document = {
    'payloads': [
        {'type': kind, 'json': given, 'payload': cbor(given if whole is None else whole).hex()}
        for kind, given, whole in payloads
    ],
    'holdIds': [{'payee': payee, 'key': key, 'id': hold_id(payee, key)} for payee, key in ((alice, 'answer-1'), (bob, 'x'))],
    'fees': fees,
    'issuance': issuance,
}
pathlib.Path(__file__).with_name('money.json').write_text(json.dumps(document, indent=2) + '\n')
