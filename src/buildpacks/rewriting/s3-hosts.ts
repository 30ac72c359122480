const region = '[a-z]{2,4}(?:-[a-z]+){1,2}-\\d{1,2}'

/** The hosts Amazon S3 answers at, with a bucket before them or without. Buckets of China (`.cn`) are others. */
const endpoint = new RegExp(
  `^(?:(.+)\\.)?s3(?:[.-]${region}|\\.dualstack\\.${region}|-fips(?:\\.dualstack)?\\.${region}` +
    '|-accelerate(?:\\.dualstack)?|-external-1)?\\.amazonaws\\.com$',
)

const firstSegment = /^\/([\w.-]+)/

export interface Bucket {
  readonly name: string
  /** Characters of the path that its name takes: none where it stands in the host. */
  readonly inPath: number
}

/** The S3 bucket a URL is in, of whatever region; `undefined` for a host that is not S3's, or a path without a bucket. */
export function bucketOf(host: string, path: () => string): Bucket | undefined {
  const match = endpoint.exec(host)
  if (!match) return undefined
  if (match[1] !== undefined) return { name: match[1], inPath: 0 }
  const name = firstSegment.exec(path())?.[1]
  return name === undefined ? undefined : { name, inPath: name.length + 1 }
}
