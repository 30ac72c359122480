import type { Reporter, TestModule } from 'vitest/node'

/** The very last line of a run: `N passed, N failed, N skipped`. Wired after the reporter for people. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const counts = { passed: 0, failed: errors.length, skipped: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state !== 'pending') counts[state] += 1
      }
      // A file that fell over before its tests ran, or a hook that failed.
      counts.failed += module.errors().length
    }
    const print = () =>
      process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`)
    // Other reporters write their own end from this same event, and asynchronously.
    process.once('exit', print)
  }
}
