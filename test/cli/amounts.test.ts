import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatCoins, parseCoins } from '../../src/cli/amounts.ts'

test('whole coins with decimals are base units', () => {
  assert.equal(parseCoins('12.5'), 12_500_000_000n)
  assert.equal(parseCoins('0.000000001'), 1n)
  assert.equal(parseCoins('007.10000000000'), 7_100_000_000n)
  assert.equal(parseCoins('0'), 0n)
  assert.equal(formatCoins(12_500_000_000n, 'BLY'), '12.5 BLY')
  assert.equal(formatCoins('1', 'GEN'), '0.000000001 GEN')
  assert.equal(formatCoins(-1_000_000_001n, 'BLY'), '-1.000000001 BLY')
})

test('what is shown is read as the same amount', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 27n - 1n }), units =>
      assert.equal(parseCoins(formatCoins(units, '').trim()), units)
    )
  )
})

for (const [text, code] of [
  ['-1', 'AMOUNT_NEGATIVE'],
  ['-0.5', 'AMOUNT_NEGATIVE'],
  ['0.0000000001', 'AMOUNT_FRACTIONAL'],
  ['1000000000000000000', 'AMOUNT_TOO_LARGE'],
  ['9'.repeat(1000), 'AMOUNT_TOO_LARGE'],
  ['', 'AMOUNT_INVALID'],
  ['1e9', 'AMOUNT_INVALID'],
  ['1,5', 'AMOUNT_INVALID'],
  ['.5', 'AMOUNT_INVALID'],
  ['5.', 'AMOUNT_INVALID'],
  [' 5', 'AMOUNT_INVALID'],
  ['0x10', 'AMOUNT_INVALID'],
  ['\u0665', 'AMOUNT_INVALID']
] as const)
  test(`"${text.slice(0, 20)}" is refused: ${code}`, () => assert.throws(() => parseCoins(text), { code }))
