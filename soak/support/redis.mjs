import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { start } from '../../bench/support/processes.mjs'

/**
 * A real redis-server that can be stopped, killed, and started again on its port.
 *
 * @param {string} directory
 * @param {number} port
 */
export function redisServer(directory, port) {
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory]
  /** @type {import('../../bench/support/processes.mjs').Child | undefined} */
  let child
  return {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      child = start('redis-server', args, { stdio: 'ignore' })
      for (let attempt = 0; attempt < 200 && !(await answers(port)); attempt += 1) await sleep(25)
    },
    pause: () => void child?.process.kill('SIGSTOP'),
    resume: () => void child?.process.kill('SIGCONT'),
    async kill() {
      child?.process.kill('SIGKILL')
      await child?.exited
    },
  }
}

/** @param {number} port */
function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
