util::curl_with_defaults() {
  curl --retry-connrefused --connect-timeout 5 "$@"
}
