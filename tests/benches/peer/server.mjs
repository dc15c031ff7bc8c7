// The peer of `make bench`: npm's oidc-provider at its best. It stores nothing, findAccount answers at once, access tokens
// are ES256 JWTs like ours (by way of a resource), ID tokens RS256 like ours, refresh tokens rotate like ours.
// It introspects opaque tokens only, so those it gets: a look-up in a map, no signature.
//
//   node server.mjs PORT FAMILIES TOKENS FOLDER
//
// Writes FOLDER/peer.refresh and FOLDER/peer.access, a token a line, and FOLDER/peer.session, a cookie a line, then prints "ready"
// when it listens.
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const [port, families, tokens] = process.argv.slice(2, 5).map(Number);
const folder = process.argv[5];
const issuer = `http://127.0.0.1:${port}`;
const resource = 'https://api.example/';

// The package's own memory adapter keeps 1,000 rows and a list of all tokens of a grant, which it walks at every rotation.
// This one does less: rows in a map. Replaced refresh tokens are forgotten after a while, or the collector would be measured.
class Memory {
  static models = new Map();

  static uids = new Map();

  constructor(model) {
    if (!Memory.models.has(model)) Memory.models.set(model, new Map());
    this.rows = Memory.models.get(model);
    this.limit = ['RefreshToken', 'AuthorizationCode'].includes(model) ? families * 4 : Infinity;
  }

  async find(id) { return this.rows.get(id); }

  async upsert(id, payload) {
    this.rows.delete(id);
    this.rows.set(id, payload);
    if (payload.uid) Memory.uids.set(payload.uid, payload);
    if (this.rows.size > this.limit) this.rows.delete(this.rows.keys().next().value);
  }

  // A session has an id of its own beside that of the cookie.
  async findByUid(uid) { return Memory.uids.get(uid); }

  async consume(id) { this.rows.get(id).consumed = Math.floor(Date.now() / 1000); }

  async destroy(id) { this.rows.delete(id); }

  async revokeByGrantId() { throw new Error('a refresh token was used twice: the load generator is wrong'); }
}

const key = (type, options, alg) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg,
});

const client = (client_id, grant_types, more) => ({
  client_id, client_secret: `${client_id}-secret-${'0123456789abcdef'.repeat(4)}`, grant_types,
  redirect_uris: [], response_types: [], token_endpoint_auth_method: 'client_secret_basic',
  id_token_signed_response_alg: 'RS256', ...more,
});

const provider = new Provider(issuer, {
  adapter: Memory,
  jwks: { keys: [key('ec', { namedCurve: 'P-256' }, 'ES256'), key('rsa', { modulusLength: 2048 }, 'RS256')] },
  // Unsigned, so that a cookie is what the line of a file says.
  cookies: { keys: ['not used here'], long: { signed: false }, short: { signed: false } },
  clients: [
    client('service', ['client_credentials']),
    client('web', ['authorization_code', 'refresh_token'], {
      redirect_uris: ['https://notes.example/callback'], response_types: ['code'],
    }),
  ],
  scopes: ['openid', 'offline_access', 'profile', 'email'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  findAccount: (ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  rotateRefreshToken: true,
  ttl: { AccessToken: 3600, AuthorizationCode: 60, Session: 14 * 86400, ClientCredentials: 300, IdToken: 300, RefreshToken: 14 * 86400, Grant: 14 * 86400 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'openid offline_access profile email', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 300,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

// What a person's visit would leave behind.
const web = await provider.Client.find('web');
const granted = async (number) => {
  const accountId = `person-${number}`;
  const grant = new provider.Grant({ accountId, clientId: 'web' });
  grant.addOIDCScope('openid offline_access profile email');
  grant.addResourceScope(resource, 'openid offline_access profile email');
  return {
    accountId, client: web, grantId: await grant.save(), gty: 'authorization_code', authTime: Math.floor(Date.now() / 1000),
    scope: 'openid offline_access profile email', claims: {}, resource,
  };
};
const lines = { refresh: [], access: [], session: [] };
for (let n = 0; n < families; n += 1) lines.refresh.push(await new provider.RefreshToken(await granted(n)).save());
for (let n = 0; n < tokens; n += 1) {
  const { resource: none, ...opaque } = await granted(n);
  lines.access.push(await new provider.AccessToken(opaque).save());
}
for (let n = 0; n < tokens; n += 1) {
  const { accountId, grantId, authTime: loginTs } = await granted(n);
  const session = new provider.Session({ accountId, loginTs, authorizations: { web: { sid: `session-${n}`, grantId } } });
  await session.save(14 * 86400);
  lines.session.push(session.id);
}
for (const kind of Object.keys(lines)) writeFileSync(`${folder}/peer.${kind}`, `${lines[kind].join('\n')}\n`);

provider.on('server_error', (ctx, error) => { console.error(error); });
provider.listen(port, '127.0.0.1', () => { console.log('ready'); });
