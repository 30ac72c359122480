import type { Repository } from '../../caching/repository.js'
import type { Choice } from '../environment/choices.js'

/** A variable as a project's file sets it. */
export interface ProjectVariable {
  readonly name: string
  readonly value: string
  readonly line: number
  /** Whether `$NAME` in the value stands for itself. */
  readonly literal: boolean
}

/** What is judged against. */
export interface Surroundings {
  /** Where builds reach Larder, without a slash at its end; what is expected is told with it. */
  readonly url: string
  /** All hosts builds reach it by, `host` or `host:port`, in lower case. */
  readonly hosts: readonly string[]
  readonly repositories: readonly Repository[]
  /** What the project is built with; none where that is not known. */
  readonly choices: readonly Choice[]
  /** Whether only variables that are named for it reach the build, as in GitLab. */
  readonly forwarding: boolean
}

/** What is wrong with a variable. Holds no value: it may be a secret. */
export interface Finding {
  readonly line: number
  readonly variable: string
  readonly fault: string
  readonly expected: string
}

export interface Fault {
  readonly fault: string
  readonly expected: string
}
