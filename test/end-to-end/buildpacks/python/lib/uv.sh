UV_VERSION=0.8.0

uv::install() {
  mkdir -p "$1"
  curl \
    --connect-timeout "${CURL_CONNECT_TIMEOUT:-3}" \
    --fail \
    --location \
    --max-time "${CURL_TIMEOUT:-60}" \
    --no-progress-meter \
    --retry-max-time "${CURL_TIMEOUT:-60}" \
    --retry 5 \
    --retry-connrefused \
    "https://github.com/astral-sh/uv/releases/download/$UV_VERSION/uv-x86_64-unknown-linux-gnu.tar.gz" \
    | tar --directory "$1" --extract --gzip --strip-components 1
}
