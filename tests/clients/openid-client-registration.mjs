// npm openid-client 6 registers itself, with keys that it makes, and signs a person in with what it got.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as oidc from 'openid-client'
import { Person } from './person.mjs'

const { ISSUER, PERSON_NAME, PERSON_PASSWORD, PERSON_SUB, INITIAL_ACCESS_TOKEN } = process.env
const redirect_uri = 'https://registered.example/callback'

const register = (metadata, authentication, initialAccessToken) => oidc.dynamicClientRegistration(
  new URL(ISSUER), { redirect_uris: [redirect_uri], ...metadata }, authentication,
  { execute: [oidc.allowInsecureRequests], initialAccessToken },
)

async function signIn(config) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri,
    scope: 'openid email',
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  })
  return oidc.authorizationCodeGrant(config, await new Person(PERSON_NAME, PERSON_PASSWORD).visit(url.href), { pkceCodeVerifier })
}

test('with a secret', async () => {
  const config = await register({ client_name: 'Registered' }, undefined, INITIAL_ACCESS_TOKEN)
  const tokens = await signIn(config)
  assert.equal(tokens.claims().sub, PERSON_SUB)
  assert.equal(tokens.claims().aud, config.clientMetadata().client_id)
})

test('with keys by value, one that signs and one that is encrypted to', async () => {
  const [signing, opening] = await Promise.all([
    crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']),
    crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits']),
  ])
  const published = async ({ publicKey }, more) => ({ ...(await crypto.subtle.exportKey('jwk', publicKey)), key_ops: undefined, ...more })
  const metadata = {
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [await published(signing, { kid: 'signing', use: 'sig' }), await published(opening, { kid: 'opening', use: 'enc' })] },
    id_token_encrypted_response_alg: 'ECDH-ES',
    id_token_encrypted_response_enc: 'A256GCM',
  }
  const config = await register(metadata, oidc.PrivateKeyJwt({ key: signing.privateKey, kid: 'signing' }), INITIAL_ACCESS_TOKEN)
  oidc.enableDecryptingResponses(config, ['A256GCM'], { key: opening.privateKey, alg: 'ECDH-ES', kid: 'opening' })
  assert.equal((await signIn(config)).claims().sub, PERSON_SUB)
})

test('without an initial access token nobody registers here', async () => {
  await assert.rejects(register({ client_name: 'A stranger' }), { status: 401 })
})
