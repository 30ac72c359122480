install_jdk() {
  JVM_COMMON_BUILDPACK=${JVM_COMMON_BUILDPACK:-https://buildpack-registry.s3.us-east-1.amazonaws.com/buildpacks/heroku/jvm.tgz}
  mkdir -p $TMPDIR/jvm-common
  curl --fail --retry 3 --retry-connrefused --connect-timeout 5 --silent --location $JVM_COMMON_BUILDPACK | tar xzm -C $TMPDIR/jvm-common --strip-components=1
  source $TMPDIR/jvm-common/bin/util
  source $TMPDIR/jvm-common/bin/java
  source $TMPDIR/jvm-common/opt/jdbc.sh
  install_java_with_overlay "$1"
}
