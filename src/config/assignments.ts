/** A variable as a file of a project sets it. */
export interface WrittenVariable {
  readonly name: string
  readonly value: string
  readonly line: number
  /** Whether `$NAME` in the value stands for itself. */
  readonly literal: boolean
}

/** A certificate with its chain has some hundred. */
const mostLinesOfValue = 500

const assignment = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/s

/** The variables of lines as shells and dotenv files have them; throws what `fault` makes of a line that is none. */
export function readAssignments(text: string, fault: (line: number) => Error): readonly WrittenVariable[] {
  const lines = text.split(/\r?\n/)
  const variables: WrittenVariable[] = []
  for (let index = 0; index < lines.length; index++) {
    const first = index
    if (/^\s*(#|$)/.test(lines[first] ?? '')) continue
    let read = readAssignment(lines[first] ?? '')
    // A value that begins with a quote goes on until it is closed: certificates do.
    while (read === 'open' && index + 1 < Math.min(lines.length, first + mostLinesOfValue)) {
      index += 1
      read = readAssignment(lines.slice(first, index + 1).join('\n'))
    }
    if (typeof read === 'string') throw fault(first + 1)
    variables.push({ ...read, line: first + 1 })
  }
  return variables
}

function readAssignment(text: string): Omit<WrittenVariable, 'line'> | 'none' | 'open' {
  const [, name, rest = ''] = assignment.exec(text) ?? []
  if (name === undefined) return 'none'
  const word = readWord(rest)
  if (word) return { name, ...word }
  // An apostrophe, as dotenv files may have it.
  return /^['"]/.test(rest) ? 'open' : { name, value: rest, literal: false }
}

/** A part of a word in quotes, an escaped character, or what stands without. */
const part = /^(?:'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)|([^'"\\]+))/s

/** A word with its quotes taken off, up to a comment; `undefined` where a quote stays open. */
function readWord(text: string): { readonly value: string; readonly literal: boolean } | undefined {
  let value = ''
  let literal = false
  let at = 0
  while (at < text.length) {
    const match = part.exec(text.slice(at))
    if (!match) return undefined
    const [whole, single, double, escaped, bare] = match
    if (single !== undefined) literal = true
    const comment = bare?.search(at === 0 ? /(^|\s)#/ : /\s#/) ?? -1
    if (bare !== undefined && comment !== -1) return { value: value + bare.slice(0, comment).trimEnd(), literal }
    value += single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? bare ?? ''
    at += whole.length
  }
  return { value, literal }
}
