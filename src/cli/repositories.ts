import type { RemoteState, RepositoryState, Statistics } from '../administration/views.js'
import type { ApiClient } from './api-client.js'
import { json, minute, size, type Terminal, table } from './terminal.js'

export async function repositories(api: ApiClient, terminal: Terminal, asJson: boolean): Promise<void> {
  const answer = await api.get<{ repositories: readonly RepositoryState[] }>('/repositories')
  terminal.out(asJson ? json(answer) : repositoryTable(answer.repositories))
}

const repositoryTable = (states: readonly RepositoryState[]): string =>
  table(
    ['repository', 'type', 'artifacts', 'size', 'cap', 'state', 'comes from'],
    states.map((state) => [
      ...[state.name, state.type, state.records, size(state.bytes), state.maxSize === null ? '-' : size(state.maxSize)],
      state.blocked ? 'blocked' : 'in service',
      sourcesText(state),
    ]),
  )

const sourcesText = ({ type, remotes, members }: RepositoryState) =>
  type === 'hosted' ? 'uploads' : [...remotes.map(remoteText), ...members].join(', ')

const remoteText = ({ url, breaker, retryAt }: RemoteState) =>
  breaker === 'closed'
    ? url
    : `${url} (breaker ${breaker}${retryAt === null ? '' : ` until ${retryAt.slice(11, 19)} UTC`})`

/** Blocks, unblocks or resets a repository and shows what it is now. */
export async function change(
  api: ApiClient,
  terminal: Terminal,
  {
    repository,
    action,
    asJson,
  }: { repository: string; action: 'block' | 'unblock' | 'breaker/reset'; asJson: boolean },
): Promise<void> {
  const state = await api.post<RepositoryState>(`/repositories/${encodeURIComponent(repository)}/${action}`)
  terminal.out(asJson ? json(state) : repositoryTable([state]))
}

export async function stats(api: ApiClient, terminal: Terminal, asJson: boolean): Promise<void> {
  const answer = await api.get<Statistics>('/stats')
  if (asJson) return terminal.out(json(answer))
  const outcomes = ['hit', 'stale', 'revalidated', 'miss', 'bypass', 'negative', 'upload', 'error']
  const rows = answer.repositories.map((repository) => [
    ...[repository.repository, repository.requests],
    repository.hitRate === null ? '-' : `${(repository.hitRate * 100).toFixed(1)} %`,
    ...outcomes.map((outcome) => repository.outcomes[outcome] ?? 0),
    ...[size(repository.bytesSent), size(repository.bytesFetched)],
  ])
  terminal.out(table(['repository', 'requests', 'hit rate', ...outcomes, 'sent', 'fetched'], rows))
  terminal.out(`since ${minute(answer.since)} UTC${answer.replicas > 1 ? `, by ${answer.replicas} replicas` : ''}\n`)
}
