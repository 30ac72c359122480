import { expect, it } from 'vitest'
import { LarderError } from '../../../src/errors.js'
import { diskFaultOf } from '../../../src/storage/disk/disk-fault.js'

const coded = (code: string | number) => Object.assign(new Error('write failed'), { code })

it.each([
  ['no space', coded('ENOSPC'), 'disk full'],
  ['no space, as lmdb says it', coded(28), 'disk full'],
  ['quota', coded('EDQUOT'), 'disk full'],
  ['read-only', coded('EROFS'), 'disk read-only'],
  ['read-only, as lmdb says it', coded(30), 'disk read-only'],
  ['a faulty disk', coded('EIO'), 'disk not writable'],
  ['a fault of lmdb’s own', coded(-30792), 'disk not writable'],
  ['no rights', coded('EACCES'), 'disk not writable'],
  ['a cause within', new LarderError('STORE_FAULT', 'x', { cause: coded('ENOSPC') }), 'disk full'],
  ['anything else', 'gibberish', 'disk not writable'],
])('K7: %s', (_, error, fault) => {
  expect(diskFaultOf(error)).toBe(fault)
})
