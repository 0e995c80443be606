import { BlyanError } from '../../errors/index.ts'
import type { ParameterView } from '../../node/index.ts'
import type { RegisterCommand } from '../context.ts'
import { fields, table } from '../output.ts'
import { formatParameter } from '../parameter-text.ts'

export const register: RegisterCommand = (command, context) => {
  command.argument('[name]', 'show this one alone').action(async (name: string | undefined) => {
    const { output, daemon } = context()
    const all = await (await daemon()).json<ParameterView[]>({ path: '/v0/parameters' })
    if (name === undefined) return output.answer(all, () => tableOf(all))
    const one = all.find(parameter => parameter.name === name)
    if (one === undefined) throw new BlyanError('PARAMETER_UNKNOWN', { name: name.slice(0, 64) })
    return output.answer(one, () => detailsOf(one))
  })
}

function tableOf(all: readonly ParameterView[]): Promise<string> {
  return table(
    ['name', 'value', 'usual', 'from', 'to', 'set by', 'purpose'],
    all.map(({ name, value, usual, min, max, purpose, ...rest }) => [
      name,
      formatParameter(name, value),
      formatParameter(name, usual),
      formatParameter(name, min),
      formatParameter(name, max),
      setterOf(rest),
      purpose
    ])
  )
}

function detailsOf({ name, value, usual, min, max, purpose, setAt, invariants, ...rest }: ParameterView): string {
  return fields([
    ['name', name],
    ['purpose', purpose],
    ['value', formatParameter(name, value)],
    ['usual', formatParameter(name, usual)],
    ['from', formatParameter(name, min)],
    ['to', formatParameter(name, max)],
    ['set by', setterOf(rest)],
    ['set at', setAt],
    ['must hold', invariants.length === 0 ? null : invariants.join('; ')]
  ])
}

function setterOf({ setBy, proposal }: Pick<ParameterView, 'setBy' | 'proposal'>): string {
  return proposal === null ? setBy : `proposal ${proposal}`
}
