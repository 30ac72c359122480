S3_BASE_URL="https://heroku-buildpack-python.s3.us-east-1.amazonaws.com"

python::install() {
  local install_dir="$1/.heroku/python" ubuntu_version="${2/heroku-/}.04"
  mkdir -p "$install_dir"
  # e.g.: https://heroku-buildpack-python.s3.us-east-1.amazonaws.com/python-3.13.0-ubuntu-24.04-amd64.tar.zst
  curl \
    --connect-timeout 10 \
    --fail \
    --max-time 120 \
    --retry-max-time 120 \
    --retry 3 \
    --retry-connrefused \
    --show-error \
    --silent \
    "$S3_BASE_URL/python-$3-ubuntu-$ubuntu_version-amd64.tar.zst" \
    | tar --directory "$install_dir" --extract --zstd
}
