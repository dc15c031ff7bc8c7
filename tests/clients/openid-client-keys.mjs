// npm openid-client 6 with keys: clients that prove who they are by signature, ID tokens and userinfo that are encrypted, signed
// otherwise than usual, or not at all.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as oidc from 'openid-client'
import { Person } from './person.mjs'

const { ISSUER, PERSON_NAME, PERSON_PASSWORD, PERSON_SUB } = process.env
const { SEALED_ID, SEALED_REDIRECT, SEALED_KEYS, HMAC_ID, HMAC_SECRET, HMAC_REDIRECT } = process.env

const discover = (id, metadata, authentication) =>
  oidc.discovery(new URL(ISSUER), id, metadata, authentication, { execute: [oidc.allowInsecureRequests] })

async function signIn(config, redirect_uri, key) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const expectedNonce = oidc.randomNonce()
  const parameters = {
    redirect_uri,
    scope: 'openid profile offline_access',
    nonce: expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  }
  // RFC 9101, by value.
  const url = await (key ? oidc.buildAuthorizationUrlWithJAR(config, parameters, key) : oidc.buildAuthorizationUrl(config, parameters))
  const answer = await new Person(PERSON_NAME, PERSON_PASSWORD).visit(url.href)
  return oidc.authorizationCodeGrant(config, answer, { pkceCodeVerifier, expectedNonce, idTokenExpected: true })
}

/** The header of a compact token. */
const header = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url'))

test('private_key_jwt; a signed request object; an encrypted ID token; userinfo signed and encrypted', async () => {
  // Both private: one signs, the other one opens what is encrypted to it.
  const [signing, opening] = JSON.parse(SEALED_KEYS)
  const metadata = { id_token_signed_response_alg: 'ES256', userinfo_signed_response_alg: 'RS256' }
  const key = await crypto.subtle.importKey('jwk', signing, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
  const signer = { key, kid: signing.kid }
  const config = await discover(SEALED_ID, metadata, oidc.PrivateKeyJwt(signer))
  const decryption = await crypto.subtle.importKey('jwk', opening, { name: 'RSA-OAEP', hash: 'SHA-256' }, false, ['decrypt', 'unwrapKey'])
  oidc.enableDecryptingResponses(config, ['A256GCM'], { key: decryption, alg: 'RSA-OAEP-256', kid: opening.kid })
  oidc.enableNonRepudiationChecks(config)

  const tokens = await signIn(config, SEALED_REDIRECT, signer)
  assert.deepEqual(header(tokens.id_token), { alg: 'RSA-OAEP-256', enc: 'A256GCM', cty: 'JWT', kid: opening.kid })
  assert.equal(tokens.claims().sub, PERSON_SUB)
  assert.equal((await oidc.fetchUserInfo(config, tokens.access_token, PERSON_SUB)).preferred_username, PERSON_NAME)
  // Each call with an assertion of its own.
  const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token)
  assert.equal(refreshed.claims().sub, PERSON_SUB)
  assert.equal((await oidc.tokenIntrospection(config, refreshed.access_token)).active, true)
  await oidc.tokenRevocation(config, refreshed.refresh_token)
  assert.deepEqual(await oidc.tokenIntrospection(config, refreshed.access_token), { active: false })
})

test('client_secret_jwt; an ID token without signature, from the token endpoint', async () => {
  const metadata = { id_token_signed_response_alg: 'none' }
  const config = await discover(HMAC_ID, metadata, oidc.ClientSecretJwt(HMAC_SECRET))
  const tokens = await signIn(config, HMAC_REDIRECT)
  assert.deepEqual(header(tokens.id_token), { alg: 'none' })
  assert.equal(tokens.claims().sub, PERSON_SUB)
  const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token)
  assert.notEqual(refreshed.access_token, tokens.access_token)
})
