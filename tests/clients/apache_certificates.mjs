// Debian's Apache with mod_ssl as the proxy that speaks TLS: one host verifies client certificates, one takes any.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import { after, before, test } from 'node:test'
import { apache } from './apache.mjs'

const env = process.env

const host = (port, gateway, verify) => `
  Listen 127.0.0.1:${port}
  <VirtualHost 127.0.0.1:${port}>
    SSLEngine on
    SSLCertificateFile ${env.TLS_CERTIFICATE}
    SSLCertificateKeyFile ${env.TLS_KEY}
    ${verify}
    # Whatever a client wrote there itself goes.
    RequestHeader set X-Client-Cert "%{SSL_CLIENT_CERT}s"
    ProxyPass / ${gateway.replace('localhost', '127.0.0.1')}/
  </VirtualHost>`

const config = host(env.VERIFIED_PORT, env.VERIFIED, `SSLVerifyClient optional\n SSLCACertificateFile ${env.BELIEVED}`)
  + host(env.UNVERIFIED_PORT, env.UNVERIFIED, 'SSLVerifyClient optional_no_ca')

let server
before(async () => {
  server = await apache(env.APACHE_PORT, ['ssl', 'proxy', 'proxy_http'], config, [])
})
after(() => server.stop())

function ask(port, client_id, name, headers = {}) {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id }).toString()
  const own = name && { cert: readFileSync(env[name]), key: readFileSync(env[`${name}_KEY`]) }
  return new Promise((resolve, reject) => {
    const request = https.request({
      host: '127.0.0.1', port, path: '/token', method: 'POST', servername: 'localhost', ca: readFileSync(env.TLS_CERTIFICATE), agent: false, ...own,
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length, ...headers },
    }, (response) => {
      let text = ''
      response.on('data', (part) => { text += part }).on('end', () => resolve({ status: response.statusCode, ...JSON.parse(text) }))
    }).on('error', reject)
    request.end(body)
  })
}

const spoofed = { 'X-Client-Cert': encodeURIComponent(readFileSync(env.BELIEVED, 'utf8')) }

test('a certificate of an authority that Apache believes is known by its subject', async () => {
  const answer = await ask(env.VERIFIED_PORT, env.BY_NAME_ID, 'BELIEVED')
  assert.equal(answer.status, 200, JSON.stringify(answer))
  assert.equal(answer.token_type, 'Bearer')
})

test('a certificate that signed itself is known by its key', async () => {
  const answer = await ask(env.UNVERIFIED_PORT, env.BY_KEY_ID, 'STRANGER')
  assert.equal(answer.status, 200, JSON.stringify(answer))
  assert.equal((await ask(env.UNVERIFIED_PORT, env.BY_KEY_ID, 'BELIEVED')).error, 'invalid_client')
})

test('a subject in a certificate that nobody believes is nobody', async () => {
  assert.equal((await ask(env.UNVERIFIED_PORT, env.BY_NAME_ID, 'STRANGER')).error, 'invalid_client')
  await assert.rejects(ask(env.VERIFIED_PORT, env.BY_NAME_ID, 'STRANGER'))
})

test('without a certificate, and with one that is only written into a header, there is nobody', async () => {
  for (const headers of [{}, spoofed]) {
    const answer = await ask(env.VERIFIED_PORT, env.BY_NAME_ID, undefined, headers)
    assert.deepEqual([answer.status, answer.error], [401, 'invalid_client'])
  }
})
