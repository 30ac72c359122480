import { archives, bucketHosts, buildpackSources, type PresetRepositories } from './preset-repository.js'

/*
 * The buckets Heroku's buildpacks download from. What has its version in its path never changes: once here, the remote is
 * not asked again.
 */

/** Published buildpacks: each release replaces the file of its name, so the remote is asked again soon. */
export const buildpackRegistry: PresetRepositories = {
  'buildpack-registry': {
    remote: 'https://buildpack-registry.s3.amazonaws.com',
    aliases: bucketHosts('buildpack-registry'),
    freshness: [{ match: 'buildpacks/**', maxAge: '5m' }],
    rewrite: [{ match: 'buildpacks/**/*.tgz', in: buildpackSources }],
  },
}

export const jvmBuckets: PresetRepositories = {
  /** The shell functions that older buildpacks begin with. */
  'lang-common': {
    remote: 'https://lang-common.s3.amazonaws.com',
    aliases: bucketHosts('lang-common'),
    freshness: [{ match: 'buildpack-stdlib/v*/**', maxAge: 'forever' }],
  },
  ...buildpackRegistry,
  /** JDKs up to jvm-common v162. */
  'lang-jvm': {
    remote: 'https://lang-jvm.s3.amazonaws.com',
    aliases: bucketHosts('lang-jvm'),
    freshness: [{ match: 'jdk/**', maxAge: 'forever' }],
  },
  /** JDKs since jvm-common v163. */
  'heroku-buildpacks-jvm': {
    remote: 'https://heroku-buildpacks-jvm.s3.dualstack.us-east-1.amazonaws.com',
    aliases: bucketHosts('heroku-buildpacks-jvm'),
    freshness: [{ match: 'openjdk/**', maxAge: 'forever' }],
  },
}

export const rubyBucket: PresetRepositories = {
  'heroku-buildpack-ruby': {
    remote: 'https://heroku-buildpack-ruby.s3.us-east-1.amazonaws.com',
    aliases: bucketHosts('heroku-buildpack-ruby'),
    freshness: [{ match: archives, maxAge: 'forever' }],
  },
}

/** Node and Yarn, for buildpacks that do not take them from nodejs.org and npm. */
export const nodeBucket: PresetRepositories = {
  'heroku-nodebin': {
    remote: 'https://heroku-nodebin.s3.us-east-1.amazonaws.com',
    aliases: bucketHosts('heroku-nodebin'),
    freshness: [{ match: archives, maxAge: 'forever' }],
  },
}

export const pythonBucket: PresetRepositories = {
  'heroku-buildpack-python': {
    remote: 'https://heroku-buildpack-python.s3.us-east-1.amazonaws.com',
    aliases: bucketHosts('heroku-buildpack-python'),
    freshness: [{ match: archives, maxAge: 'forever' }],
  },
}

export const goBucket: PresetRepositories = {
  'heroku-golang-prod': {
    remote: 'https://heroku-golang-prod.s3.us-east-1.amazonaws.com',
    aliases: bucketHosts('heroku-golang-prod'),
    freshness: [{ match: archives, maxAge: 'forever' }],
  },
}

/** A Composer repository for each stack: its packages.json names its archives by whole URLs. */
export const phpBucket: PresetRepositories = {
  'lang-php': {
    remote: 'https://lang-php.s3.us-east-1.amazonaws.com',
    aliases: bucketHosts('lang-php'),
    freshness: [
      { match: '**/packages*.json', maxAge: '5m' },
      { match: archives, maxAge: 'forever' },
    ],
    rewrite: [{ match: '**/packages*.json' }],
  },
}
