/** A fault of the parsed YAML, to be located in its text. */
export interface Issue {
  readonly path: readonly PropertyKey[]
  readonly message: string
  /** Whether the key is at fault rather than its value. */
  readonly atKey: boolean
}

export type Data = Readonly<Record<string, unknown>>

export const isMap = (value: unknown): value is Data =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
