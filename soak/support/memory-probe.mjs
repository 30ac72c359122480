/* Loaded into the server (--import): a message has it collect its garbage and say what memory is left. */

process.on('message', () => {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  process.send?.({ heap: heapUsed + external })
})
// A server that is told to end must not be kept by this.
process.channel?.unref()
