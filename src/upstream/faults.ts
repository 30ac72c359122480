import { RequestError } from 'got'
import { isLarderError, LarderError } from '../errors.js'

/** What OpenSSL and Node call a certificate we can't accept (`X509_V_ERR_*`), in words an operator can act on; and what remotes say of ours. */
const certificateFaults: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  CERT_REVOKED: 'its certificate is revoked',
  CERT_REJECTED: 'its certificate is rejected for this use',
  CERT_UNTRUSTED: 'its certificate comes from an untrusted authority',
  CERT_SIGNATURE_FAILURE: 'the signature of its certificate is wrong',
  CERT_CHAIN_TOO_LONG: 'its certificate chain is too long',
  INVALID_CA: 'its certificate is signed by one that may not sign',
  INVALID_PURPOSE: 'its certificate is not meant for servers',
  PATH_LENGTH_EXCEEDED: 'its certificate chain is too long',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate comes from an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate comes from an unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from an unknown authority, or an intermediate is missing',
  HOSTNAME_MISMATCH: 'its certificate is for another host',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it asks for a client certificate',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'it does not know the authority of our client certificate',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'it does not accept our client certificate',
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: 'it does not accept our client certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: 'it holds our client certificate for revoked',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'it holds our client certificate for expired',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'it does not accept our client certificate',
}

const networkFaults: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name does not resolve',
  EAI_AGAIN: 'its name could not be resolved for now',
  ECONNREFUSED: 'it refused the connection',
  ECONNRESET: 'it closed the connection before it answered',
  EPIPE: 'it closed the connection before it answered',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
}

/** Maps what the client library raised before there was a head. `host` names the remote in the message. */
export function faultOf(error: unknown, host: string): LarderError {
  const cause = nativeOf(error)
  // A fault of ours travels through socket and library as the look-up's refusal and the timers' do.
  if (isLarderError(cause)) return cause
  const code = codeOf(cause)
  const certificate = certificateFaults[code]
  if (certificate !== undefined) return new LarderError('UPSTREAM_TLS', `${host}: ${certificate}`, { cause })
  if (/^(ERR_SSL_|ERR_TLS_|EPROTO$)/.test(code)) {
    return new LarderError('UPSTREAM_TLS', `${host}: the TLS handshake failed (${code})`, { cause })
  }
  if (isUnparsable(cause)) return invalidAnswer(host, `it does not speak proper HTTP (${code})`, cause)
  if (code === 'ETIMEDOUT') return timedOut(host, 'the connection', cause)
  if (isLocal(cause, code)) {
    return new LarderError('INTERNAL', `${host}: the request could not be made (${code})`, { cause })
  }
  const network = networkFaults[code] ?? `it could not be reached (${code})`
  return new LarderError('UPSTREAM_UNREACHABLE', `${host}: ${network}`, { cause })
}

export const invalidAnswer = (host: string, what: string, cause?: unknown): LarderError =>
  new LarderError('UPSTREAM_INVALID', `${host}: ${what}`, { cause })

export const timedOut = (host: string, awaited: string, cause?: unknown): LarderError =>
  new LarderError('UPSTREAM_TIMEOUT', `${host}: timed out waiting for ${awaited}`, { cause })

export const cutBody = (host: string, received: number, cause?: unknown): LarderError =>
  new LarderError('UPSTREAM_CUT', `${host}: the body was cut after ${received} bytes`, { cause: nativeOf(cause) })

/** Whether what came is no HTTP. */
export const isUnparsable = (error: unknown): boolean => codeOf(nativeOf(error)).startsWith('HPE_')

/** Node's own checks of what it is asked to do: nothing went out, and nothing else would come of another try. */
const isLocal = (error: unknown, code: string): boolean =>
  code.startsWith('ERR_') && (error instanceof TypeError || error instanceof RangeError)

/** The library's own errors hold the whole request, headers and all: nothing to keep, and nothing to log. */
function nativeOf(error: unknown): unknown {
  return error instanceof RequestError ? nativeOf(error.cause) : error
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'no code'
}
