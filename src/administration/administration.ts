import { checkTarget, keyTarget } from '../caching/cache-key.js'
import { compileGlob } from '../caching/glob.js'
import type { Repository } from '../caching/repository.js'
import type { Selection } from '../caching/selection.js'
import { LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { Availability } from '../proxy/availability.js'
import type { Bulletin } from '../storage/bulletin.js'
import type { WarmOrder } from '../warming/order.js'
import { type AdministeredStore, artifactState, type Listing, listArtifacts } from './catalogue.js'
import { type ExplainDeps, explain } from './explain.js'
import type { Explanation } from './explain-views.js'
import { exported } from './export.js'
import { createGathering } from './gathering.js'
import { imported } from './import.js'
import { countsIn } from './statistics.js'
import { asking, isStoring, purgeable, storing } from './suited.js'
import type { Tasks } from './tasks.js'
import type { ArtifactPage, ArtifactState, ImportReport, Removed, RepositoryState, Statistics, Task } from './views.js'
import type { WarmJobs } from './warm-jobs.js'
import type { WarmReport } from './warm-views.js'
import { gc, verification } from './work.js'

/** Which artifacts of a repository are meant, as an operator names them: by exactly one of these. */
export interface Designation {
  /** A name or alias. */
  readonly repository: string
  readonly path?: string | undefined
  readonly prefix?: string | undefined
  readonly glob?: string | undefined
  readonly all?: boolean | undefined
}

/**
 * What an operator may see and do. Throws `LarderError`: `REPOSITORY_UNKNOWN`, `ARTIFACT_UNKNOWN`, `TASK_UNKNOWN`,
 * `TASK_RUNNING`, `REQUEST_INVALID`, `PATH_INVALID`.
 */
export interface Administration {
  repositories(): readonly RepositoryState[]
  list(listing: Listing): Promise<ArtifactPage>
  artifact(repository: string, path: string): Promise<ArtifactState>
  /** Of `<repository>/<path>`, or of a URL here or at a remote: what is known, and what a GET would come to. */
  explain(words: string): Promise<Explanation>
  /** `soft`: what is stored stays, and is validated before its next use. */
  purge(designation: Designation, soft: boolean): Promise<Removed>
  pin(designation: Designation): Promise<void>
  /** False where that designation was not pinned. */
  unpin(designation: Designation): Promise<boolean>
  pins(): readonly Selection[]
  block(repository: string, blocked: boolean): RepositoryState
  resetBreaker(repository: string): RepositoryState
  statistics(): Promise<Statistics>
  /** An archive of what is stored, or of a part of it; made as it is read. */
  export(part: {
    readonly repository?: string | undefined
    readonly prefix?: string | undefined
    readonly glob?: string | undefined
  }): AsyncGenerator<Uint8Array, void, void>
  /** Throws `ARCHIVE_INVALID`, `NO_ROOM`; what was whole before that stays. `force`: replaces what is stored newer, too. */
  import(archive: AsyncIterable<Uint8Array>, force: boolean): Promise<ImportReport>
  tasks(): readonly Task[]
  task(id: string): Task
  startTask(order: TaskOrder): Task
  cancelTask(id: string): Task
  startWarmUp(order: WarmOrder, options: { readonly dryRun: boolean }): Task
  /** Its items from the `after`th on. */
  warmUp(id: string, after?: number): WarmReport
}

type TaskOrder =
  /** Reads every body again; `rate` in bytes a second, at most. */
  { readonly kind: 'verify'; readonly rate?: number | undefined } | { readonly kind: 'gc' }

export interface AdministrationDeps {
  readonly repositories: () => readonly Repository[]
  readonly find: (nameOrAlias: string) => Repository | undefined
  readonly store: AdministeredStore
  readonly foresee: ExplainDeps['foresee']
  readonly availability: Pick<Availability, 'remotes' | 'reset' | 'isBlocked' | 'block'>
  readonly tasks: Tasks
  readonly warmJobs: WarmJobs
  readonly bulletin: Bulletin
  readonly metrics: Metrics
  /** Brings the metrics up to date. */
  readonly measure: () => Promise<void>
  readonly log: Logger
}

export function createAdministration(deps: AdministrationDeps): Administration {
  const { store, availability, tasks, metrics } = deps

  const counted = async () => {
    await deps.measure()
    return countsIn(
      metrics,
      deps.repositories().map(({ name }) => name),
    )
  }

  const find = (nameOrAlias: string): Repository => {
    const repository = deps.find(nameOrAlias)
    if (!repository) throw new LarderError('REPOSITORY_UNKNOWN', `no repository or alias is named "${nameOrAlias}"`)
    return repository
  }

  const state = (repository: Repository): RepositoryState => {
    const { name, aliases, type, profile, members, retention } = repository
    const { records, bytes } = store.totals(name)
    return {
      ...{ name, aliases, type, profile, records, bytes },
      members: members.map((member) => member.name),
      blocked: repository.type === 'proxy' && availability.isBlocked(repository),
      remotes: availability.remotes(repository).map(({ url, breaker, retryAt }) => ({
        ...{ url, breaker, retryAt: retryAt === undefined ? null : new Date(retryAt).toISOString() },
      })),
      maxSize: Number.isFinite(retention.maxSize) ? retention.maxSize : null,
    }
  }

  const known = (id: string, task: Task | undefined): Task => {
    if (!task) throw new LarderError('TASK_UNKNOWN', `no task has the id "${id}"`)
    return task
  }

  return {
    repositories: () => deps.repositories().map(state),
    list: (listing) => listArtifacts(store, storing(find(listing.repository)), listing),
    artifact(nameOrAlias, path) {
      const repository = storing(find(nameOrAlias))
      return artifactState(store, repository, targetOf(repository, path))
    },
    explain: (words) => explain({ ...deps, state }, words),
    purge: (designation, soft) =>
      store.purge(
        select((name) => purgeable(find(name)), designation),
        { soft },
      ),
    pin: (designation) => store.pin(select((name) => storing(find(name)), designation)),
    unpin: (designation) => store.unpin(select(find, designation)),
    pins: () => store.pins(),
    block(nameOrAlias, blocked) {
      const repository = asking(find(nameOrAlias))
      availability.block(repository, blocked)
      return state(repository)
    },
    resetBreaker(nameOrAlias) {
      const repository = asking(find(nameOrAlias))
      availability.reset(repository)
      return state(repository)
    },
    statistics: createGathering({ ...deps, counted }),
    export({ repository, prefix, glob }) {
      const repositories =
        repository === undefined ? deps.repositories().filter(isStoring) : [storing(find(repository))]
      const narrowed = {
        prefix: prefix && withoutLeadingSlash(prefix),
        glob: glob === undefined ? undefined : globOf(glob),
      }
      return exported(store, { repositories, ...narrowed })
    },
    import: (archive, force) => imported(deps, archive, force),
    tasks: tasks.list,
    task: (id) => known(id, tasks.get(id)),
    startTask: (order) =>
      tasks.start(order.kind, order.kind === 'verify' ? verification(store, order.rate) : gc(store)),
    cancelTask: (id) => known(id, tasks.cancel(id)),
    startWarmUp(order, options) {
      if (order.items.length === 0 && order.from.length === 0) {
        throw new LarderError('REQUEST_INVALID', 'expected at least one of "items" and "from"')
      }
      return deps.warmJobs.start(order, options).task
    },
    warmUp(id, after = 0) {
      const report = deps.warmJobs.report(id)
      const task = known(id, report && tasks.get(id))
      return { task, filling: report?.filling() ?? [], items: report?.items.slice(after) ?? [] }
    },
  }
}

/** A path as an operator writes it, as it stands in the key. Throws `PATH_INVALID`. */
function targetOf(repository: Repository, path: string): string {
  const target = `/${withoutLeadingSlash(path)}`
  checkTarget(target)
  return keyTarget(target, repository.query)
}

/** `/jdk/x` and `jdk/x` are one; whoever means a path that begins with a slash writes two. */
const withoutLeadingSlash = (path: string) => (path.startsWith('/') ? path.slice(1) : path)

function select(find: (nameOrAlias: string) => Repository, designation: Designation): Selection {
  const repository = find(designation.repository)
  const { path, prefix, glob, all } = designation
  if ([path, prefix, glob, all || undefined].filter((given) => given !== undefined).length !== 1) {
    throw new LarderError('REQUEST_INVALID', 'expected exactly one of "path", "prefix", "glob" and "all": true')
  }
  const { name } = repository
  if (path !== undefined) return { repository: name, by: 'path', pattern: targetOf(repository, path).slice(1) }
  if (prefix !== undefined) return { repository: name, by: 'prefix', pattern: prefixOf(prefix) }
  if (glob !== undefined) return { repository: name, by: 'glob', pattern: globOf(glob) }
  return { repository: name, by: 'all', pattern: '' }
}

/** An empty one would mean everything, and may be what a script's unset variable left. */
function prefixOf(text: string): string {
  const pattern = withoutLeadingSlash(text)
  if (pattern !== '') return pattern
  throw new LarderError('REQUEST_INVALID', 'an empty "prefix" is not accepted; "all": true means the whole repository')
}

function globOf(text: string): string {
  const pattern = withoutLeadingSlash(text)
  if (compileGlob(pattern)) return pattern
  throw new LarderError('REQUEST_INVALID', `${JSON.stringify(text)} is not a glob such as jdk/**/*.tar.gz`)
}
