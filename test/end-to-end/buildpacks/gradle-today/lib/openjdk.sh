openjdk::install() {
  local url="${JVM_COMMON_BUILDPACK:-https://buildpack-registry.s3.dualstack.us-east-1.amazonaws.com/buildpacks/heroku/jvm.tgz}"
  local tarball directory
  tarball="$(mktemp)"
  directory="$(mktemp -d)"
  curl \
    --connect-timeout 3 \
    --max-time 60 \
    --retry 5 \
    --retry-connrefused \
    --no-progress-meter \
    --fail \
    --location \
    "$url" \
    -o "$tarball"
  tar -xzm --directory "$directory" --strip-components=1 -f "$tarball"
  source "$directory/bin/java"
  install_openjdk "$1"
}
