// Debian's libapache2-mod-auth-openidc: Apache signs people in before it serves a folder.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { apache } from './apache.mjs'
import { Person } from './person.mjs'

const { ISSUER, PERSON_NAME, PERSON_PASSWORD, PERSON_SUB, APACHE_ID, APACHE_SECRET, APACHE_PORT } = process.env
const site = `http://localhost:${APACHE_PORT}`

const config = `
  OIDCProviderMetadataURL ${ISSUER}/.well-known/openid-configuration
  OIDCClientID ${APACHE_ID}
  OIDCClientSecret ${APACHE_SECRET}
  # A path below what it protects, which no page has.
  OIDCRedirectURI ${site}/protected/callback
  OIDCCryptoPassphrase "a long, randomly-generated string"
  OIDCPKCEMethod S256
  OIDCScope "openid profile email roles offline_access"
  OIDCRemoteUserClaim preferred_username
  OIDCInfoHook userinfo id_token access_token refresh_token session
  <Location /protected>
    AuthType openid-connect
    Require valid-user
    Header set X-Remote-User "expr=%{REMOTE_USER}"
    Header set X-Email "expr=%{reqenv:OIDC_CLAIM_email}"
  </Location>
  <Location /protected/readers>
    Require claim roles:reader
  </Location>
  <Location /protected/writers>
    Require claim roles:writer
  </Location>`

let server
const person = new Person(PERSON_NAME, PERSON_PASSWORD)
before(async () => { server = await apache(APACHE_PORT, 'auth_openidc', config, ['public', 'protected', 'protected/readers', 'protected/writers']) })
after(() => server.stop())

const visit = async (path) => {
  const page = await person.browse(`${site}${path}`)
  assert.equal(page.url.origin, site, `${page.url}: ${page.body}`)
  return page
}
const info = async () => JSON.parse((await visit('/protected/callback?info=json')).body)

test('a protected page sends its visitor through sign-in, and knows who comes back', async () => {
  assert.equal((await visit('/public/')).body, 'This is public.')
  const { status, url, headers, body } = await visit('/protected/')
  assert.deepEqual([status, url.pathname, body], [200, '/protected/', 'This is protected.'], server.log())
  assert.equal(headers.get('x-remote-user'), PERSON_NAME)
  assert.equal(headers.get('x-email'), `${PERSON_NAME}@people.example`)
})

test('claims say who comes in where', async () => {
  assert.equal((await visit('/protected/readers/')).body, 'This is protected/readers.')
  assert.equal((await visit('/protected/writers/')).status, 401)
})

test('what it was told, and refresh', async () => {
  const { id_token, userinfo, access_token } = await info()
  assert.equal(id_token.sub, PERSON_SUB)
  assert.equal(userinfo.preferred_username, PERSON_NAME)
  const back = encodeURIComponent(`${site}/protected/`)
  await visit(`/protected/callback?refresh=${back}&access_token=${encodeURIComponent(access_token)}`)
  assert.notEqual((await info()).access_token, access_token)
})

test('logout here is logout at the provider', async () => {
  const { url, body } = await visit(`/protected/callback?logout=${encodeURIComponent(`${site}/public/`)}`)
  assert.deepEqual([url.pathname, body], ['/public/', 'This is public.'])
  // Nobody remembers the person: the password is asked for.
  delete person.answers.password
  const { headers, body: page } = await person.browse(`${site}/protected/`)
  assert.equal(headers.get('x-remote-user'), null)
  assert.ok(page.includes('id="password"'), page)
})

test('back-channel logout: signed out at the provider, signed out here', async () => {
  person.answers.password = PERSON_PASSWORD
  assert.equal((await visit('/protected/')).headers.get('x-remote-user'), PERSON_NAME)
  await person.browse(`${ISSUER}/logout`)
  delete person.answers.password
  // Delivered at once, beside everything else.
  for (const deadline = Date.now() + 20_000; ; await setTimeout(20)) {
    const { url, body } = await person.browse(`${site}/protected/`)
    if (url.origin !== site) return assert.ok(body.includes('id="password"'), body)
    assert.ok(Date.now() < deadline, server.log())
  }
})
