FilesJSON="$BUILDPACK_DIR/files.json"
CURL="curl --no-progress-meter --location --fail --max-time 30 --retry-max-time 200 --retry 5 --retry-connrefused --connect-timeout 5"

ensureFile() {
  local fileName="$1" targetDir="$2" url sha
  url="$(<"$FilesJSON" jq -r ".\"$fileName\".URL")"
  sha="$(<"$FilesJSON" jq -r ".\"$fileName\".SHA")"
  mkdir -p "$targetDir"
  ${CURL} -o "$targetDir/$fileName" "$url"
  [ "$(sha256sum "$targetDir/$fileName" | cut -d ' ' -f 1)" = "$sha" ]
}
