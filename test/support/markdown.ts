export const code = (text: string): string => (text === '' ? '' : `\`${text}\``)

/** Columns are aligned, as the formatter wants Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((cells) => cells[column]?.length ?? 0)))
  const line = (cells: readonly string[], filler: string) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0, filler)).join(' | ')} |\n`
  const lines = [
    line(head, ' '),
    line(
      head.map(() => ''),
      '-',
    ),
    ...rows.map((cells) => line(cells, ' ')),
  ]
  return `\n${lines.join('')}\n`
}

/** `text` with what stands between the marks of each part replaced. */
export function withParts(text: string, parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts).reduce(
    (whole, [part, table]) =>
      whole.replace(
        new RegExp(`(<!-- ${part}: generated -->\n)[^]*(<!-- /${part} -->)`),
        (_, begin: string, end: string) => `${begin}${table}${end}`,
      ),
    text,
  )
}
