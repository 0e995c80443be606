/** A module of the dashboard, as browsers load it. What it exports is named by the test that uses it. */
export async function staticModule<Exports>(name: string): Promise<Exports> {
  return (await import(staticFile(name).href)) as Exports
}

export function staticFile(name: string): URL {
  return new URL(`../../src/api/dashboard/static/${name}`, import.meta.url)
}
