inventory::query() {
  jq --arg version "$1" '(.version_aliases[$version] // $version) as $exact
    | .artifacts[] | select(.version == $exact and .arch == "amd64" and .os == "linux")' "$JVM_COMMON/inventory.json"
}
