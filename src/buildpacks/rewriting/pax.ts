/** A record of a pax extended header: `<length> <key>=<value>\n`, the length being that of the whole record in bytes. */
export interface PaxRecord {
  readonly key: string
  readonly value: Buffer
  /** As it stands in the header. */
  readonly bytes: Buffer
}

/** The records, which bytes are made of altogether (NULs at the end aside); `undefined` where they are not. */
export function paxRecords(content: Buffer): readonly PaxRecord[] | undefined {
  const records: PaxRecord[] = []
  for (let at = 0; at < content.length; ) {
    if (content[at] === 0) return content.subarray(at).every((byte) => byte === 0) ? records : undefined
    const record = recordAt(content, at)
    if (!record) return undefined
    records.push(record)
    at += record.bytes.length
  }
  return records
}

function recordAt(content: Buffer, at: number): PaxRecord | undefined {
  const digits = /^(\d{1,9}) /.exec(content.toString('latin1', at, at + 10))?.[1]
  const bytes = content.subarray(at, at + Number(digits))
  const equals = bytes.indexOf('=')
  if (digits === undefined || bytes.length < Number(digits) || bytes.at(-1) !== 0x0a || equals === -1) return undefined
  return {
    key: bytes.toString('utf8', digits.length + 1, equals),
    value: bytes.subarray(equals + 1, -1),
    bytes,
  }
}

/** The last value that is given: it holds. */
export const paxValue = (records: readonly PaxRecord[], key: string): Buffer | undefined =>
  records.findLast((record) => record.key === key)?.value

/** All records as they are, those of these keys with what `change` makes of their values. */
export const withPaxValues = (
  records: readonly PaxRecord[],
  keys: readonly string[],
  change: (value: Buffer) => Buffer,
): Buffer =>
  Buffer.concat(records.map(({ key, value, bytes }) => (keys.includes(key) ? paxRecord(key, change(value)) : bytes)))

/** Its length counts its own digits. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')])
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return Buffer.concat([Buffer.from(String(length)), rest])
}
