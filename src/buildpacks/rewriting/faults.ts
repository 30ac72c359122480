import { LarderError } from '../../errors.js'

export const rewriteFailed = (why: string, cause?: unknown): LarderError =>
  new LarderError('REWRITE_FAILED', `the body can't be rewritten: ${why}`, { cause })
