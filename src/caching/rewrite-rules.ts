import { pathOf } from './cache-key.js'
import type { Repository, RewriteRule } from './repository.js'

/** The rule that says what of the body at a target is rewritten. */
export const rewriteRule = ({ rewrite }: Repository, target: string): RewriteRule | undefined =>
  rewrite.length === 0 ? undefined : rewrite.find(({ matches }) => matches(pathOf(target)))

/** Whether the repository, or a member of the group, serves what is at a target rewritten. */
export const isRewritable = (repository: Repository, target: string): boolean =>
  rewriteRule(repository, target) !== undefined ||
  (repository.members.length > 0 && repository.members.some((member) => isRewritable(member, target)))
