/** Those who wait for something to change. */
export class Waiters {
  #waiting: (() => void)[] = []

  /** Resolves at the next `wake`. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
