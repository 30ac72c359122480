import { describe } from 'vitest'
import { sharedCacheContract } from '../contract/shared-cache.js'
import { SharedMemory } from './memory-shared-cache.js'

describe('shared cache in memory, for tests', () => {
  sharedCacheContract(async () => {
    const memory = new SharedMemory()
    return {
      connect: async () => memory.connect(),
      flush: async () => {
        memory.records.clear()
        memory.bodies.clear()
        memory.leases.clear()
        memory.notes.clear()
      },
      leftovers: async () => [],
      dispose: async () => {},
    }
  })
})
