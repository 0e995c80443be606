import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, totalmem } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { type EngineLogger, readLines, spawnEngineProcess } from '../engine/engine-child.ts'
import { channelDescriptor, type Provider } from '../engine/engine-protocol.ts'
import { scoreDevice } from './device-score.ts'
import type { ProviderMeasurement } from './provider-measurement.ts'

export type ProviderReason = {
  readonly provider: Provider
  readonly ok: boolean
  /** Why it works or not, for people. */
  readonly reason: string
  /** Measured, null if it does not work. */
  readonly gigaflopsPerSecond: number | null
  readonly transferBytesPerSecond: number | null
}

export type DeviceProbe = {
  /** What an engine should be given; null when not even the processor works. */
  readonly provider: Provider | null
  readonly name: string
  readonly gigaflopsPerSecond: number
  readonly transferBytesPerSecond: number
  /** Memory of the device, the machine's own for `cpu`; null where no one says. */
  readonly memoryBytes: number | null
  /** Of what was measured; 0 without a device. A processor has no memory of its own to count. */
  readonly score: number
  readonly tier: number
  /** One sentence for people: why this device and none of those tried before. */
  readonly why: string
  readonly elapsedMs: number
  /** One entry a provider, in the order they were tried. */
  readonly reasons: readonly ProviderReason[]
}

export type DeviceProbeNeeds = {
  readonly threads: number
  readonly logger: EngineLogger
  /** For one provider; 10 s unless given, since the first start of a graphics driver takes seconds. */
  readonly timeoutMs?: number
}

const order: readonly Provider[] = ['cuda', 'webgpu', 'cpu']

/**
 * Finds the device to compute on: cuda, then webgpu, then cpu, each started and measured in a throw-away process, since
 * a list of providers does not fall back and a driver may abort. What the machine visibly lacks costs no process. A
 * graphics device that is slower than the processor (software drivers) is passed over. Never throws.
 */
export async function probeDevice(needs: DeviceProbeNeeds): Promise<DeviceProbe> {
  const startedAtMs = performance.now()
  const reasons: ProviderReason[] = []
  for (const provider of order) reasons.push(await probeProvider(provider, needs))
  const chosen = chooseDevice(reasons)
  const { name, memoryBytes } = await describeDevice(chosen?.provider ?? null)
  const gigaflopsPerSecond = chosen?.gigaflopsPerSecond ?? 0
  const transferBytesPerSecond = chosen?.transferBytesPerSecond ?? 0
  return {
    provider: chosen?.provider ?? null,
    name,
    gigaflopsPerSecond,
    transferBytesPerSecond,
    memoryBytes,
    ...scoreDevice({
      videoMemoryBytes: chosen?.provider === 'cpu' ? 0 : (memoryBytes ?? 0),
      teraflopsPerSecond: gigaflopsPerSecond / 1000,
      transferBytesPerSecond
    }),
    why: whyText(chosen, reasons),
    elapsedMs: performance.now() - startedAtMs,
    reasons
  }
}

/** The first that works and is not slower than the processor. Pure. */
export function chooseDevice(reasons: readonly ProviderReason[]): ProviderReason | undefined {
  const processor = reasons.find(({ provider }) => provider === 'cpu')?.gigaflopsPerSecond ?? 0
  return reasons.find(({ ok, gigaflopsPerSecond }) => ok && (gigaflopsPerSecond ?? 0) >= processor)
}

/** Pure. */
export function whyText(chosen: ProviderReason | undefined, reasons: readonly ProviderReason[]): string {
  const others = reasons
    .slice(0, chosen === undefined ? reasons.length : reasons.indexOf(chosen))
    .map(({ provider, ok, reason }) => `not ${provider}: ${ok ? `slower than the processor, ${reason}` : reason}`)
  return [chosen === undefined ? 'nothing works here' : `${chosen.provider}: ${chosen.reason}`, ...others].join('; ')
}

async function probeProvider(provider: Provider, needs: DeviceProbeNeeds): Promise<ProviderReason> {
  const lacking = provider === 'cuda' ? lackingForCuda() : provider === 'webgpu' ? lackingForWebGpu() : undefined
  const failed = (reason: string): ProviderReason => ({
    provider,
    ok: false,
    reason,
    gigaflopsPerSecond: null,
    transferBytesPerSecond: null
  })
  if (lacking !== undefined) return failed(lacking)
  const measured = await measureInProcess(provider, needs)
  if (!measured.ok) return failed(measured.reason)
  const { gigaflopsPerSecond, transferBytesPerSecond, startMs } = measured
  const transferText = `${(transferBytesPerSecond / 1e9).toFixed(1)} GB/s to it`
  const reason = `${gigaflopsPerSecond.toFixed(1)} GFLOP/s, ${transferText}, started in ${Math.round(startMs)} ms`
  return { provider, ok: true, reason, gigaflopsPerSecond, transferBytesPerSecond }
}

function measureInProcess(provider: Provider, needs: DeviceProbeNeeds): Promise<ProviderMeasurement> {
  const timeoutMs = needs.timeoutMs ?? 10_000
  return new Promise(resolve => {
    const fail = (reason: string): void => resolve({ ok: false, reason })
    try {
      const child = spawnEngineProcess({ task: 'probe', provider, threads: needs.threads })
      child.once('error', error => fail(error.message))
      const timer = setTimeout(() => {
        fail(`no answer within ${timeoutMs} ms`)
        child.kill('SIGKILL')
      }, timeoutMs)
      let lastLine = ''
      let answer = ''
      readLines(child.stdout as Readable, line => needs.logger.debug({ provider }, line))
      readLines(child.stderr as Readable, line => {
        lastLine = line
        needs.logger.debug({ provider }, line)
      })
      const channel = child.stdio[channelDescriptor] as Readable
      channel.setEncoding('utf8')
      channel.on('error', () => {})
      channel.on('data', (text: string) => {
        answer = (answer + text).slice(0, 65_536)
      })
      child.once('close', (code, signal) => {
        clearTimeout(timer)
        resolve(readMeasurement(answer) ?? { ok: false, reason: `${signal ?? `exit code ${code}`}: ${lastLine}` })
      })
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error))
    }
  })
}

function readMeasurement(text: string): ProviderMeasurement | undefined {
  try {
    const value = JSON.parse(text) as ProviderMeasurement
    if (value.ok) {
      const { gigaflopsPerSecond, transferBytesPerSecond, startMs } = value
      return [gigaflopsPerSecond, transferBytesPerSecond, startMs].every(Number.isFinite) ? value : undefined
    }
    return { ok: false, reason: String(value.reason).slice(0, 1000) }
  } catch {
    return undefined
  }
}

function lackingForCuda(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'ONNX Runtime has CUDA for Node on Linux x64 only'
  if (!existsSync('/dev/nvidiactl') && !existsSync('/dev/nvidia0')) return 'there is no NVIDIA device (/dev/nvidia*)'
  if (!hasCudaProvider()) return 'the CUDA provider is not installed: npm install with ONNXRUNTIME_NODE_INSTALL=cuda12'
  return undefined
}

/** Elsewhere than on Linux WebGPU comes with the system. */
function lackingForWebGpu(): string | undefined {
  if (process.platform !== 'linux') return undefined
  const loader = 'libvulkan.so.1'
  const folders = (process.env.LD_LIBRARY_PATH ?? '').split(delimiter).filter(folder => folder !== '')
  if (folders.some(folder => existsSync(join(folder, loader)))) return undefined
  return systemLibraries().includes(loader) ? undefined : `there is no Vulkan loader (${loader})`
}

/** The loader's cache names every library it knows; machines without one are asked by trying. */
function systemLibraries(): string {
  try {
    return readFileSync('/etc/ld.so.cache', 'latin1')
  } catch {
    return 'libvulkan.so.1'
  }
}

function hasCudaProvider(): boolean {
  const folder = join('bin', 'napi-v6', process.platform, process.arch)
  try {
    const packageFile = createRequire(import.meta.url).resolve('onnxruntime-node/package.json')
    return existsSync(join(dirname(packageFile), folder, 'libonnxruntime_providers_cuda.so'))
  } catch {
    return false
  }
}

async function describeDevice(provider: Provider | null): Promise<{ name: string; memoryBytes: number | null }> {
  if (provider === null) return { name: 'none', memoryBytes: null }
  if (provider === 'cpu') return { name: cpus()[0]?.model.trim() ?? 'processor', memoryBytes: totalmem() }
  const memoryBytes = provider === 'cuda' ? await nvidiaMemoryBytes() : null
  return { name: nvidiaName() ?? 'a graphics device whose driver gives no name', memoryBytes }
}

function nvidiaName(): string | undefined {
  const folder = '/proc/driver/nvidia/gpus'
  try {
    const information = readFileSync(join(folder, readdirSync(folder)[0]!, 'information'), 'utf8')
    return /^Model:\s*(.+)$/m.exec(information)?.[1]
  } catch {
    return undefined
  }
}

function nvidiaMemoryBytes(): Promise<number | null> {
  const question = ['--query-gpu=memory.total', '--format=csv,noheader,nounits', '--id=0']
  return new Promise(resolve => {
    execFile('nvidia-smi', question, { timeout: 2000 }, (error, text) => {
      const mebibytes = Number.parseInt(text, 10)
      resolve(error === null && mebibytes > 0 ? mebibytes * 1024 * 1024 : null)
    })
  })
}
