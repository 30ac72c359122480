DEFAULT_JDK_17_VERSION="17.0.1"
JVM_BUILDPACK_ASSETS_BASE_URL="${JVM_BUILDPACK_ASSETS_BASE_URL:-"https://lang-jvm.s3.amazonaws.com"}"
JDK_BASE_URL="${JVM_BUILDPACK_ASSETS_BASE_URL%/}/jdk/${STACK:-"heroku-20"}"

jdk_version() {
  sed -n 's/^java.runtime.version=//p' "$1/system.properties"
}

jdk_url() {
  case "$1" in
    17) echo "$JDK_BASE_URL/openjdk$DEFAULT_JDK_17_VERSION.tar.gz" ;;
    *) echo "$JDK_BASE_URL/openjdk$1.tar.gz" ;;
  esac
}

# The version is one that is supported if its JDK is there, and can be kept if it has a tag.
validate_jdk() {
  local head
  head="$(curl --retry 3 --silent --head -w "%{http_code}" -L "$1")"
  if [ "${head: -3}" != 200 ] || ! grep -q ETag <<<"$head"; then
    echo " !     ERROR: Unsupported Java version" >&2
    return 1
  fi
}

install_jdk() {
  local tarball="$TMPDIR/jdk.tgz"
  curl --retry 3 --silent --show-error --location "$1" --output "$tarball"
  tar pxzf "$tarball" -C "$2"
  rm "$tarball"
}

install_metrics_agent() {
  mkdir -p "$1"
  curl --retry 3 -s -o "$1/heroku-metrics-agent.jar" \
    -L "${HEROKU_METRICS_JAR_URL:-"https://repo1.maven.org/maven2/com/heroku/agent/heroku-java-metrics-agent/3.14/heroku-java-metrics-agent-3.14.jar"}"
}
