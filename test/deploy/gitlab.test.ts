import { expect, it } from 'vitest'
import { shippedRepositories, yamlOf } from './files.js'

const forwarded = 'AUTO_DEVOPS_BUILD_IMAGE_FORWARDED_CI_VARIABLES'
const { [forwarded]: names, ...urls } = yamlOf('deploy/gitlab/larder.gitlab-ci.yml').variables ?? {}

it('GitLab forwards every variable that points a build at Larder, and drops none for its name', () => {
  expect(String(names).split(',')).toEqual(Object.keys(urls))
})

it('they lead to repositories that are served out of the box', async () => {
  const served = await shippedRepositories()
  for (const url of Object.values(urls)) {
    const [, repository] = /^\$LARDER_URL\/repository\/([^/]+)(\/|$)/.exec(String(url)) ?? []
    expect(served).toContain(repository)
  }
})
