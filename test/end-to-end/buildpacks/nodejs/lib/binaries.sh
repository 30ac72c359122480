install_nodejs() {
  local version="$1" dir="$2" entry url checksum output_file="$TMPDIR/node.tar.gz"
  entry="$("$BP_DIR/lib/vendor/resolve" "$BP_DIR/inventory/node.toml" "$version")"
  read -r url checksum <<<"$entry"
  if [ -n "$NODE_BINARY_URL" ]; then url="$NODE_BINARY_URL"; fi
  if ! curl "$url" --no-progress-meter --location --fail --max-time 30 --retry 5 --retry-connrefused --connect-timeout 5 -o "$output_file"; then
    echo "Unable to download Node.js from $url. See https://status.nodejs.org/" >&2
    return 1
  fi
  [ "$(sha256sum "$output_file" | cut -d " " -f 1)" = "$checksum" ] || return 1
  mkdir -p "$dir"
  tar xzf "$output_file" --strip-components 1 -C "$dir"
  chmod +x "$dir"/bin/*
}
