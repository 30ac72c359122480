import { isLarderError, LarderError } from '../errors.js'

/** What was thrown, as a fault with a code. */
export const faultOf = (error: unknown): LarderError =>
  isLarderError(error) ? error : new LarderError('INTERNAL', 'an unforeseen fault', { cause: error })
