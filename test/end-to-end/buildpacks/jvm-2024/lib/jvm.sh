DEFAULT_JDK_17_VERSION="17.0.10"
JVM_BUILDPACK_ASSETS_BASE_URL="${JVM_BUILDPACK_ASSETS_BASE_URL:-"https://lang-jvm.s3.us-east-1.amazonaws.com"}"
JDK_BASE_URL="${JVM_BUILDPACK_ASSETS_BASE_URL%/}/jdk/${STACK:-"heroku-22"}"

jdk_version() {
  sed -n 's/^java.runtime.version=//p' "$1/system.properties"
}

jdk_url() {
  case "$1" in
    17) echo "$JDK_BASE_URL/zulu-$DEFAULT_JDK_17_VERSION.tar.gz" ;;
    *) echo "$JDK_BASE_URL/zulu-$1.tar.gz" ;;
  esac
}

validate_jdk() {
  local status
  status="$(curl --retry 3 --retry-connrefused --connect-timeout 5 --silent --head -w "%{http_code}" -L "$1" -o /dev/null)"
  [ "$status" = 200 ] || { echo " !     ERROR: Unsupported Java version" >&2; return 1; }
}

install_jdk() {
  local tarball="$TMPDIR/jdk.tgz"
  curl --retry-connrefused --connect-timeout 5 --retry 3 --silent --show-error --location "$1" --output "$tarball"
  tar pxzf "$tarball" -C "$2"
  rm "$tarball"
}

install_metrics_agent() {
  mkdir -p "$1"
  curl --retry-connrefused --connect-timeout 5 --retry 3 -s -o "$1/heroku-metrics-agent.jar" \
    -L "${HEROKU_METRICS_JAR_URL:-"https://repo1.maven.org/maven2/com/heroku/agent/heroku-java-metrics-agent/4.0.1/heroku-java-metrics-agent-4.0.1.jar"}"
}
