// npm @auth/core (Auth.js): the request handler that its packages for Next.js, SvelteKit, Express … all share.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { Auth } from '@auth/core'
import { Person } from './person.mjs'

const { ISSUER, PERSON_NAME, PERSON_PASSWORD, PERSON_SUB } = process.env
const { AUTHJS_ID, AUTHJS_SECRET, AUTHJS_PORT, SIGNED_ID, SIGNED_KEY } = process.env
const url = `http://localhost:${AUTHJS_PORT}`

const provider = {
  name: 'pg_identity',
  type: 'oidc',
  issuer: ISSUER,
  checks: ['pkce', 'state', 'nonce'],
  // The profile is at userinfo; the ID token of a code flow says who it is and no more (Core §5.4).
  idToken: false,
}
const key = await crypto.subtle.importKey('jwk', JSON.parse(SIGNED_KEY), { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])

const config = {
  // The redirect URI is /auth/callback/<id>.
  providers: [
    { ...provider, id: 'secret', clientId: AUTHJS_ID, clientSecret: AUTHJS_SECRET },
    // With a key of its own in place of the secret.
    {
      ...provider,
      id: 'signed',
      clientId: SIGNED_ID,
      client: { token_endpoint_auth_method: 'private_key_jwt' },
      token: { clientPrivateKey: { key, kid: 'signing' } },
    },
  ],
  secret: 'a long, randomly-generated string stored in env',
  trustHost: true,
  basePath: '/auth',
  callbacks: {
    jwt: ({ token, account }) => (account ? { ...token, access_token: account.access_token } : token),
    session: ({ session, token }) => ({ ...session, access_token: token.access_token }),
  },
}

// From Node's requests to those of the web and back.
const server = createServer(async (incoming, outgoing) => {
  const chunks = await incoming.toArray()
  const answer = await Auth(new Request(new URL(incoming.url, url), {
    method: incoming.method, headers: incoming.headers, body: chunks.length ? Buffer.concat(chunks) : undefined,
  }), config)
  outgoing.writeHead(answer.status, [...answer.headers].flat())
  outgoing.end(Buffer.from(await answer.arrayBuffer()))
})
before(() => server.listen(AUTHJS_PORT, '127.0.0.1'))
after(() => server.close())

for (const id of ['secret', 'signed']) {
  test(`${id}: sign-in, the session with the profile, sign-out`, async () => {
    const person = new Person(PERSON_NAME, PERSON_PASSWORD)
    const session = async () => JSON.parse((await person.browse(`${url}/auth/session`)).body)
    const post = async (path) => {
      const { csrfToken } = JSON.parse((await person.browse(`${url}/auth/csrf`)).body)
      return person.browse(`${url}${path}`, new URLSearchParams({ csrfToken, callbackUrl: `${url}/auth/session` }))
    }
    assert.equal(await session(), null)

    const page = await post(`/auth/signin/${id}`)
    assert.equal(page.url.href, `${url}/auth/session`, page.body)
    const { user, access_token } = await session()
    assert.deepEqual(user, {
      name: `${PERSON_NAME} Liddell`, email: `${PERSON_NAME}@people.example`, image: `https://people.example/${PERSON_NAME}.png`,
    })
    const userinfo = await fetch(`${ISSUER}/userinfo`, { headers: { authorization: `Bearer ${access_token}` } })
    assert.equal((await userinfo.json()).sub, PERSON_SUB)

    // Its own session; ours is ended by a link to the end_session_endpoint.
    await post('/auth/signout')
    assert.equal(await session(), null)
  })
}
