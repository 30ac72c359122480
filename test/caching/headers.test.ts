import { describe, expect, it } from 'vitest'
import { endToEnd, field, fieldLines, filterFields, listMembers, usualSpelling } from '../../src/caching/headers.js'

describe('field and fieldLines', () => {
  it('finds every line in any spelling', () => {
    const headers = ['Via', 'a', 'VIA', 'b', 'X', 'c']
    expect(fieldLines(headers, 'via')).toEqual(['a', 'b'])
    expect(field(headers, 'via')).toBe('a, b')
  })

  it('tells an absent field from an empty one', () => {
    expect(field(['X', ''], 'x')).toBe('')
    expect(field(['X', ''], 'y')).toBeUndefined()
  })
})

describe('listMembers', () => {
  it.each([
    ['nothing', [], []],
    ['one line', ['a, b'], ['a', 'b']],
    ['several lines', ['a', 'b,c'], ['a', 'b', 'c']],
    ['empty members', [' , a,, ,b,'], ['a', 'b']],
    ['a comma in a quoted string', ['a="x,y", b'], ['a="x,y"', 'b']],
    ['an escaped quote', [String.raw`a="x\",y", b`], [String.raw`a="x\",y"`, 'b']],
    ['a quote never closed hides nothing', ['a="x, no-store'], ['a="x', 'no-store']],
    ['a quote closed only by an escaped one', [String.raw`a="x\", no-store`], [String.raw`a="x\"`, 'no-store']],
  ])('%s', (_, lines, members) => {
    expect(listMembers(lines)).toEqual(members)
  })

  it('takes linear time on quotes never closed', () => {
    const line = '"\\'.repeat(200_000)
    const start = performance.now()
    listMembers([line])
    expect(performance.now() - start).toBeLessThan(1000)
  })
})

describe('endToEnd', () => {
  it.each([
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'Proxy-Authenticate',
    'Proxy-Authorization',
    'Proxy-Authentication-Info',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'UPGRADE',
  ])('drops %s', (name) => {
    expect(endToEnd([name, 'x', 'ETag', '"a"'])).toEqual(['ETag', '"a"'])
  })

  it('C2: drops what Connection lists, over several lines and in any case', () => {
    const headers = ['Connection', 'close, X-Hop', 'X-Hop', '1', 'connection', 'x-OTHER', 'X-Other', '2', 'X-End', '3']
    expect(endToEnd(headers)).toEqual(['X-End', '3'])
  })

  it.each([
    ['Content-Length', '3'],
    ['Content-Encoding', 'gzip'],
    ['Content-Range', 'bytes 0-1/3'],
    ['Cache-Control', 'no-store'],
    ['Vary', 'Accept'],
  ])('keeps %s out of the reach of Connection', (name, value) => {
    expect(endToEnd(['Connection', name, name, value])).toEqual([name, value])
  })
})

describe('filterFields', () => {
  it('keeps order, spelling and repeated lines', () => {
    expect(filterFields(['A', '1', 'b', '2', 'a', '3'], (name) => name === 'a')).toEqual(['A', '1', 'a', '3'])
  })
})

describe('C2: usualSpelling', () => {
  it.each([
    ['etag', 'ETag'],
    ['content-md5', 'Content-MD5'],
    ['www-authenticate', 'WWW-Authenticate'],
    ['last-modified', 'Last-Modified'],
    ['ETAG', 'ETAG'],
    ['Etag', 'Etag'],
    ['x-amz-request-id', 'x-amz-request-id'],
  ])('%s -> %s', (name, usual) => {
    expect(usualSpelling([name, 'etag'])).toEqual([usual, 'etag'])
  })
})
