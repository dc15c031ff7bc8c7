// npm openid-client 6 as the confidential web client of a person, as the public client, and as a service.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as oidc from 'openid-client'
import { Person } from './person.mjs'

const { HYBRID_ID, HYBRID_SECRET } = process.env
const { ISSUER, WEB_ID, WEB_SECRET, WEB_REDIRECT, PUBLIC_ID, PUBLIC_REDIRECT, SERVICE_ID, SERVICE_SECRET, POST_ID, POST_SECRET } =
  process.env
const { PERSON_NAME, PERSON_PASSWORD, PERSON_SUB } = process.env

// The issuer of a test is http on loopback, which is all that this allows. The library sends a secret in the body
// unless told otherwise; these clients registered for the header.
const discover = (id, secret, authentication = oidc.ClientSecretBasic(secret)) =>
  oidc.discovery(new URL(ISSUER), id, secret, authentication, { execute: [oidc.allowInsecureRequests] })

async function signIn(config, redirect_uri, scope, extra = {}) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const expectedNonce = oidc.randomNonce()
  const expectedState = oidc.randomState()
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri,
    scope,
    nonce: expectedNonce,
    state: expectedState,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...extra,
  })
  const answer = await new Person(PERSON_NAME, PERSON_PASSWORD).visit(url.href)
  // RFC 9207: checked by the library because discovery announces it.
  const members = answer instanceof Request ? new URLSearchParams(await answer.clone().text())
    : new URLSearchParams(answer.search || answer.hash.slice(1))
  assert.equal(members.get('iss'), ISSUER)
  return oidc.authorizationCodeGrant(config, answer, { pkceCodeVerifier, expectedNonce, expectedState, idTokenExpected: true })
}

test('discovery', async () => {
  const metadata = (await discover(WEB_ID, WEB_SECRET)).serverMetadata()
  assert.equal(metadata.issuer, ISSUER)
  assert.ok(metadata.supportsPKCE())
  assert.equal(metadata.authorization_response_iss_parameter_supported, true)
  const oauth = await oidc.discovery(new URL(ISSUER), WEB_ID, WEB_SECRET, undefined, { algorithm: 'oauth2', execute: [oidc.allowInsecureRequests] })
  assert.equal(oauth.serverMetadata().token_endpoint, metadata.token_endpoint)
})

for (const [name, id, authentication] of [
  ['client_secret_basic', WEB_ID, oidc.ClientSecretBasic(WEB_SECRET)],
  ['client_secret_post', POST_ID, oidc.ClientSecretPost(POST_SECRET)],
]) {
  test(`a confidential client, ${name}: code, PKCE, nonce, userinfo, refresh, introspection, revocation`, async () => {
    const config = await discover(id, undefined, authentication)
    oidc.enableNonRepudiationChecks(config)
    const tokens = await signIn(config, WEB_REDIRECT, 'openid profile email address phone offline_access')
    assert.equal(tokens.token_type, 'bearer')
    assert.equal(tokens.claims().sub, PERSON_SUB)
    assert.equal(tokens.claims().aud, id)

    const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, PERSON_SUB)
    assert.equal(userinfo.preferred_username, PERSON_NAME)
    assert.equal(userinfo.email_verified, true)
    assert.equal(typeof userinfo.address.country, 'string')
    assert.equal(typeof userinfo.phone_number, 'string')

    const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token)
    assert.notEqual(refreshed.access_token, tokens.access_token)
    assert.equal(refreshed.claims().sub, PERSON_SUB)

    const alive = await oidc.tokenIntrospection(config, refreshed.access_token)
    assert.equal(alive.active, true)
    assert.equal(alive.sub, PERSON_SUB)
    assert.equal(alive.client_id, id)

    // RFC 7009 §2.1: revoking a refresh token ends the access tokens of the same grant.
    await oidc.tokenRevocation(config, refreshed.refresh_token)
    assert.deepEqual(await oidc.tokenIntrospection(config, refreshed.access_token), { active: false })
    await assert.rejects(oidc.refreshTokenGrant(config, refreshed.refresh_token), { error: 'invalid_grant' })
    await assert.rejects(oidc.fetchUserInfo(config, refreshed.access_token, PERSON_SUB), { status: 401 })
  })
}

test('a public client: code, PKCE, refresh', async () => {
  const config = await discover(PUBLIC_ID, undefined, oidc.None())
  const tokens = await signIn(config, PUBLIC_REDIRECT, 'openid offline_access')
  const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token)
  assert.notEqual(refreshed.refresh_token, tokens.refresh_token)
  await oidc.tokenRevocation(config, refreshed.access_token)
  await assert.rejects(oidc.fetchUserInfo(config, refreshed.access_token, PERSON_SUB), { status: 401 })
})

for (const response_mode of ['fragment', 'form_post']) {
  test(`hybrid, ${response_mode}: code id_token, with c_hash and s_hash`, async () => {
    const config = await discover(HYBRID_ID, HYBRID_SECRET)
    // Response type code id_token; c_hash is REQUIRED then, and s_hash with this (FAPI 1.0 Advanced).
    oidc.useCodeIdTokenResponseType(config)
    oidc.enableDetachedSignatureResponseChecks(config)
    oidc.enableNonRepudiationChecks(config)
    const tokens = await signIn(config, WEB_REDIRECT, 'openid profile', { response_mode })
    assert.equal(tokens.claims().sub, PERSON_SUB)
    assert.equal((await oidc.fetchUserInfo(config, tokens.access_token, PERSON_SUB)).preferred_username, PERSON_NAME)
  })

  test(`implicit, ${response_mode}: id_token`, async () => {
    const config = await discover(HYBRID_ID, HYBRID_SECRET)
    oidc.useIdTokenResponseType(config)
    const expectedNonce = oidc.randomNonce()
    const expectedState = oidc.randomState()
    const claims = JSON.stringify({ id_token: { phone_number: { essential: true } } })
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: WEB_REDIRECT, scope: 'openid email', nonce: expectedNonce, state: expectedState, response_mode, claims,
    })
    assert.equal(url.searchParams.get('response_type'), 'id_token')
    const answer = await new Person(PERSON_NAME, PERSON_PASSWORD).visit(url.href)
    const found = await oidc.implicitAuthentication(config, answer, expectedNonce, { expectedState })
    assert.equal(found.sub, PERSON_SUB)
    assert.equal(found.email_verified, true)
    assert.equal(typeof found.phone_number, 'string')
    assert.equal(found.address, undefined)
  })
}

test('code by form_post', async () => {
  const config = await discover(WEB_ID, WEB_SECRET)
  const tokens = await signIn(config, WEB_REDIRECT, 'openid', { response_mode: 'form_post' })
  assert.equal(tokens.claims().sub, PERSON_SUB)
})

test('max_age and prompt=login are met and told in auth_time', async () => {
  const config = await discover(WEB_ID, WEB_SECRET)
  const tokens = await signIn(config, WEB_REDIRECT, 'openid', { max_age: '0', prompt: 'login' })
  assert.ok(Math.abs(tokens.claims().auth_time - Date.now() / 1000) < 60)
})

test('a code with another verifier is refused', async () => {
  const config = await discover(WEB_ID, WEB_SECRET)
  const expectedState = oidc.randomState()
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: WEB_REDIRECT,
    scope: 'openid',
    state: expectedState,
    code_challenge: await oidc.calculatePKCECodeChallenge(oidc.randomPKCECodeVerifier()),
    code_challenge_method: 'S256',
  })
  const answer = await new Person(PERSON_NAME, PERSON_PASSWORD).visit(url.href)
  await assert.rejects(
    oidc.authorizationCodeGrant(config, answer, { pkceCodeVerifier: oidc.randomPKCECodeVerifier(), expectedState }),
    { error: 'invalid_grant' },
  )
})

test('a service: client_credentials, introspection of a token of somebody else', async () => {
  const config = await discover(SERVICE_ID, SERVICE_SECRET)
  const own = await oidc.clientCredentialsGrant(config)
  assert.equal(own.refresh_token, undefined)
  assert.equal((await oidc.tokenIntrospection(config, own.access_token)).sub, SERVICE_ID)

  const web = await discover(WEB_ID, WEB_SECRET)
  const tokens = await signIn(web, WEB_REDIRECT, 'openid')
  assert.equal((await oidc.tokenIntrospection(config, tokens.access_token)).sub, PERSON_SUB)
  // The web client has no such right.
  assert.deepEqual(await oidc.tokenIntrospection(web, own.access_token), { active: false })
})

test('a wrong secret', async () => {
  const config = await discover(SERVICE_ID, 'wrong')
  // RFC 6749 §5.2: 401 with a challenge of the scheme that was tried.
  await assert.rejects(oidc.clientCredentialsGrant(config), { code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE', status: 401 })
})

test('the address of logout', async () => {
  const config = await discover(WEB_ID, WEB_SECRET)
  const url = oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: 'https://elsewhere.example/' })
  assert.ok(url.href.startsWith(`${ISSUER}/logout?`))
})
