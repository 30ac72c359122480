import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { get } from './http.js'

/** The token the server made for itself. */
export const adminToken = async ({ data }: { readonly data: string }): Promise<string> =>
  (await readFile(join(data, 'admin-token'), 'utf8')).replace(/^.*:/, '').trim()

/** A call of the admin API with the token the server made for itself; its answer. Fails the test if it is refused. */
export async function administer(
  { url, data }: { readonly url: string; readonly data: string },
  method: string,
  route: string,
  body?: unknown,
): Promise<unknown> {
  const token = await adminToken({ data })
  const answer = await get(`${url}/api/v1${route}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = answer.body.toString()
  expect(answer.status, text).toBeLessThan(300)
  return JSON.parse(text)
}
