import type { Buildpack, Download } from './buildpack.js'

/** What builds for the JVM fetch and call, always its newest release. */
export const jvmArchive: Download = {
  what: 'jvm-common',
  url: 'https://buildpack-registry.s3.us-east-1.amazonaws.com/buildpacks/heroku/jvm.tgz',
  repositories: ['buildpack-registry'],
  variable: 'JVM_COMMON_BUILDPACK',
}

const stdlib = (until: number): Download => ({
  what: 'shell functions',
  url: 'https://lang-common.s3.amazonaws.com/buildpack-stdlib/v7/stdlib.sh',
  repositories: ['lang-common'],
  until,
  variable: 'BUILDPACK_STDLIB_URL',
  writtenIn: 'bin/*',
})

/** Those that build for the JVM; all but jvm-common itself fetch it. */
export const jvmBuildpacks = {
  'jvm-common': {
    source: 'heroku/heroku-buildpack-jvm-common',
    downloads: [
      {
        what: 'JDK',
        url: 'https://lang-jvm.s3.us-east-1.amazonaws.com/jdk/STACK/zulu-VERSION.tar.gz',
        repositories: ['lang-jvm'],
        since: 110,
        until: 158,
        variable: 'JVM_BUILDPACK_ASSETS_BASE_URL',
      },
      {
        what: 'JDK',
        url: 'https://lang-jvm.s3.us-east-1.amazonaws.com/jdk/STACK/zulu-VERSION.tar.gz',
        repositories: ['lang-jvm'],
        since: 159,
        until: 162,
        writtenIn: 'inventory.json',
      },
      {
        what: 'JDK',
        url: 'https://heroku-buildpacks-jvm.s3.us-east-1.amazonaws.com/openjdk/zulu/amd64/VERSION.tar.gz',
        repositories: ['heroku-buildpacks-jvm'],
        since: 163,
        writtenIn: 'inventory.json',
      },
      {
        what: 'metrics agent',
        url: 'https://repo1.maven.org/maven2/com/heroku/agent/heroku-java-metrics-agent/VERSION/heroku-java-metrics-agent-VERSION.jar',
        repositories: ['maven-central'],
        variable: 'HEROKU_METRICS_JAR_URL',
      },
    ],
  },
  gradle: {
    source: 'heroku/heroku-buildpack-gradle',
    published: 'buildpacks/heroku/gradle.tgz',
    uses: 'jvm-common',
    downloads: [jvmArchive, stdlib(37)],
  },
  java: {
    source: 'heroku/heroku-buildpack-java',
    published: 'buildpacks/heroku/java.tgz',
    uses: 'jvm-common',
    downloads: [
      jvmArchive,
      stdlib(71),
      {
        what: 'Maven, for projects without its wrapper',
        url: 'https://repo.maven.apache.org/maven2/org/apache/maven/apache-maven/VERSION/apache-maven-VERSION-bin.tar.gz',
        repositories: ['maven-by-host', 'lang-jvm'],
        writtenIn: 'lib/common.sh',
      },
    ],
  },
  scala: {
    source: 'heroku/heroku-buildpack-scala',
    published: 'buildpacks/heroku/scala.tgz',
    uses: 'jvm-common',
    downloads: [
      jvmArchive,
      stdlib(93),
      {
        what: 'sbt launcher',
        url: 'https://repo.maven.apache.org/maven2/org/scala-sbt/sbt-launch/VERSION/sbt-launch-VERSION.jar',
        repositories: ['maven-by-host'],
        writtenIn: 'lib/*.sh',
      },
    ],
  },
  clojure: {
    source: 'heroku/heroku-buildpack-clojure',
    published: 'buildpacks/heroku/clojure.tgz',
    uses: 'jvm-common',
    downloads: [
      jvmArchive,
      {
        what: 'Leiningen',
        url: 'https://github.com/technomancy/leiningen/releases/download/VERSION/leiningen-VERSION-standalone.zip',
        repositories: ['github', 'lang-jvm'],
        writtenIn: 'bin/compile',
      },
      {
        what: 'installer of Clojure’s command line, which downloads the rest by a URL in it',
        url: 'https://download.clojure.org/install/linux-install-VERSION.sh',
        repositories: ['clojure-downloads'],
        since: 83,
        writtenIn: 'bin/compile',
      },
    ],
  },
} as const satisfies Readonly<Record<string, Buildpack>>
