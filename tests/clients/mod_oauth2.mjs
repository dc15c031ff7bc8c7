// Debian's libapache2-mod-oauth2: Apache as a resource server for our access tokens.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as oidc from 'openid-client'
import { apache } from './apache.mjs'
import { Person } from './person.mjs'

const { ISSUER, PERSON_NAME, PERSON_PASSWORD, PERSON_SUB, APACHE_PORT } = process.env
const { WEB_ID, WEB_SECRET, WEB_REDIRECT, SERVICE_ID, SERVICE_SECRET } = process.env
const site = `http://localhost:${APACHE_PORT}`

const secured = (path, verify) => `
  <Location /${path}>
    AuthType oauth2
    ${verify}
    Require oauth2_claim iss:${ISSUER}
    Header set X-Remote-User "expr=%{REMOTE_USER}"
    Header set X-Scope "expr=%{reqenv:OAUTH2_CLAIM_scope}"
  </Location>`

const config = [
  // Fast, and good until the token ends: the keys that we publish.
  secured('keys', `OAuth2TokenVerify jwks_uri ${ISSUER}/jwks.json verify.exp=required&verify.iat=skip`),
  // Asks us about each token that it does not remember; as a client with introspect_any, or one that is the token's audience.
  secured('introspection', `OAuth2TokenVerify introspect ${ISSUER}/introspect \
introspect.auth=client_secret_basic&client_id=${SERVICE_ID}&client_secret=${SERVICE_SECRET}`),
].join('')

let server, client, access_token
before(async () => {
  server = await apache(APACHE_PORT, 'oauth2', config, ['keys', 'introspection'])
  client = await oidc.discovery(new URL(ISSUER), WEB_ID, undefined, oidc.ClientSecretBasic(WEB_SECRET), { execute: [oidc.allowInsecureRequests] })
  access_token = await signIn()
})
after(() => server.stop())

async function signIn() {
  const url = oidc.buildAuthorizationUrl(client, { redirect_uri: WEB_REDIRECT, scope: 'openid email' })
  const back = await new Person(PERSON_NAME, PERSON_PASSWORD).visit(url.href)
  return (await oidc.authorizationCodeGrant(client, back)).access_token
}
const ask = async (path, token) => {
  const response = await fetch(`${site}/${path}/`, { headers: token ? { authorization: `Bearer ${token}` } : {} })
  const [user, scope, challenge] = ['x-remote-user', 'x-scope', 'www-authenticate'].map((name) => response.headers.get(name))
  return { status: response.status, user, scope, challenge }
}
const bent = (token) => token.replace(/.{6}$/, 'AAAAAA')

for (const path of ['keys', 'introspection']) {
  test(`${path}: a good token comes in as its person, no other does`, async () => {
    const { status, user, scope } = await ask(path, access_token)
    assert.deepEqual({ status, user, scope }, { status: 200, user: PERSON_SUB, scope: 'openid email' }, server.log())
    assert.equal((await ask(path)).status, 401)
    assert.match((await ask(path)).challenge, /^Bearer/)
    assert.equal((await ask(path, bent(access_token))).status, 401)
  })
}

test('introspection knows of a revocation, keys do not', async () => {
  const revoked = await signIn()
  await oidc.tokenRevocation(client, revoked)
  assert.equal((await ask('introspection', revoked)).status, 401)
  assert.equal((await ask('keys', revoked)).status, 200)
})
