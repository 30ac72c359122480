/** The base images of Heroku's buildpacks. `byArchitecture`: how paths name it where they name the architecture with it. */
export const stacks = {
  'heroku-18': { byArchitecture: 'heroku-18' },
  'heroku-20': { byArchitecture: 'heroku-20' },
  'heroku-22': { byArchitecture: 'heroku-22' },
  'heroku-24': { byArchitecture: 'heroku-24-amd64' },
} as const satisfies Readonly<Record<string, { readonly byArchitecture: string }>>

export type StackName = keyof typeof stacks

export const stackNames = Object.keys(stacks) as readonly StackName[]

export const isStackName = (name: string): name is StackName => Object.hasOwn(stacks, name)
