import { Lexer } from 'yaml'

/** A configuration needs 8 levels, and an indentation of 20. */
const mostLevels = 50
const widestIndentation = 100

/**
 * Whether a YAML text nests far deeper than any configuration. To be asked before it is parsed: the parser recurses, and
 * some of its regular expressions grow with the depth until the process is out of memory.
 */
export function nestsTooDeeply(text: string): boolean {
  let brackets = 0
  let indicators = 0
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') brackets += 1
    else if (token === ']' || token === '}') brackets = Math.max(0, brackets - 1)
    else if (token.endsWith('\n')) indicators = 0
    else if (brackets === 0 && (token === '-' || token === '?' || token === ':')) indicators += 1
    if (brackets > mostLevels || indicators > mostLevels) return true
    if (token.length > widestIndentation && /^ +$/.test(token)) return true
  }
  return false
}
