import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { members, start } from './processes.mjs'
import { freePort, untilAnswering } from './tools.mjs'

/**
 * @typedef {object} Origin
 * @property {string} url
 * @property {() => number} requests it has seen so far
 * @property {() => Promise<void>} stop
 *
 * @typedef {object} Server
 * @property {string} name
 * @property {(path: string) => string} url of an artifact, by its path at the origin
 * @property {number[]} pids
 * @property {(headers: Headers) => boolean} isHit whether an answer came from the cache
 * @property {() => Promise<void>} stop
 */

// As root the workers would become `nobody`, who can't enter the temporary directory.
const USER = process.getuid?.() === 0 ? 'user root;' : ''
const START_MS = 10_000
const KEEP_ALIVE = 'keepalive_timeout 75s; keepalive_requests 1000000000;'
// 20 blocks of 1 KiB: longer than what a record holds inline, so these bodies become blobs.
const PADDING_BLOCK = 'larder bench....'.repeat(64)
const PADDING = '$padding'.repeat(20)

/**
 * The local origin: static files, and bodies for any number of keys. It logs one line a request.
 *
 *   /<file>       from `files`
 *   /any/<key>    small.bin, whatever the key
 *   /tiny/<key>   a few bytes that differ by key
 *   /blob/<key>   20 KiB that differ by key
 *
 * @param {{ binary: string, directory: string, files: string }} options
 * @returns {Promise<Origin>}
 */
export async function startOrigin({ binary, directory, files }) {
  const log = join(directory, 'origin.log')
  const port = await freePort()
  const child = await run(
    binary,
    directory,
    'origin',
    port,
    `
    log_format line '$request_method $request_uri $status';
    access_log ${log} line;
    server {
      listen 127.0.0.1:${port} backlog=1024;
      root ${files};
      set $padding "${PADDING_BLOCK}";
      location = /ready { access_log off; return 200 ""; }
      location /any/ { rewrite ^ /small.bin break; }
      location /tiny/ { add_header ETag '"$uri"'; return 200 "$uri\\n"; }
      location /blob/ { add_header ETag '"$uri"'; return 200 "$uri\\n${PADDING}"; }
    }`,
  )
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => readFileSync(log, 'latin1').split('\n').length - 1,
    stop: child.stop,
  }
}

/**
 * nginx as operators put it in front of a bucket: one worker, every default but those that caching and fairness need.
 *
 * @param {{ binary: string, directory: string, origin: string, name?: string }} options
 * @returns {Promise<Server>}
 */
export async function startNginx({ binary, directory, origin, name = 'nginx' }) {
  const port = await freePort()
  const child = await run(
    binary,
    directory,
    name,
    port,
    `
    access_log ${join(directory, `${name}-access.log`)} combined buffer=64k flush=1s;
    proxy_cache_path ${join(directory, `${name}-cache`)} levels=1:2 keys_zone=bench:64m inactive=1d use_temp_path=off;
    upstream origin { server ${new URL(origin).host}; keepalive 64; keepalive_requests 1000000000; }
    server {
      listen 127.0.0.1:${port} backlog=1024;
      location = /ready { access_log off; return 200 ""; }
      location /repository/files/ {
        proxy_pass http://origin/;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_cache bench;
        proxy_cache_valid 200 1d;
        proxy_cache_lock on;
        proxy_cache_lock_timeout 60s;
        proxy_cache_lock_age 60s;
        add_header X-Cache $upstream_cache_status;
      }
    }`,
  )
  return {
    name,
    url: (path) => `http://127.0.0.1:${port}/repository/files${path}`,
    pids: members(child.pid),
    isHit: (headers) => headers.get('x-cache') === 'HIT',
    stop: child.stop,
  }
}

/**
 * @param {string} binary
 * @param {string} directory
 * @param {string} name
 * @param {number} port
 * @param {string} http
 */
async function run(binary, directory, name, port, http) {
  const config = join(directory, `${name}.conf`)
  const scratch = join(directory, `${name}-scratch`)
  mkdirSync(scratch)
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  writeFileSync(
    config,
    `
    ${USER}
    daemon off;
    worker_processes 1;
    pid ${join(scratch, 'pid')};
    error_log ${join(directory, `${name}-error.log`)} warn;
    events { worker_connections 4096; }
    http {
      ${kinds.map((kind) => `${kind}_temp_path ${join(scratch, kind)};`).join(' ')}
      sendfile on;
      tcp_nopush on;
      ${KEEP_ALIVE}
      ${http}
    }
  `,
  )
  const child = start(binary, ['-c', config, '-e', join(directory, `${name}-error.log`)], { stdio: 'ignore' })
  try {
    await untilAnswering(`http://127.0.0.1:${port}/ready`, child, START_MS)
  } catch (error) {
    throw new Error(`nginx (${name}) doesn't run: ${readFileSync(join(directory, `${name}-error.log`), 'utf8')}`, {
      cause: error,
    })
  }
  return child
}
