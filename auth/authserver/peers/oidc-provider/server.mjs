// A certified authorization server as a peer of the tests, in eleven
// configurations, each on a free port of 127.0.0.1. It prints their issuers and
// clients as one line of JSON when it is ready. Its own interaction pages take any
// name and password. TTL is how many seconds access tokens live.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const days30 = 30 * 24 * 3600;
const jwk = (type, options) => generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' });
const redirect_uris = ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://localhost/callback'];
const native = {
  client_id: 'curfew',
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  response_types: ['code'],
  redirect_uris,
};
const secret = 'not: so secret+secret';
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keys = [
  { ...jwk('rsa', { modulusLength: 2048 }), kid: 'rsa', use: 'sig' },
  { ...jwk('ec', { namedCurve: 'P-256' }), kid: 'ec', use: 'sig' },
  { ...jwk('ed25519'), kid: 'ed', use: 'sig' },
];

// Each has what is different from the first: of its client, of its features, of the rest.
const configurations = {
  plain: {},
  'secret by header': { client: { token_endpoint_auth_method: 'client_secret_basic', client_secret: secret } },
  'secret in the body': { client: { token_endpoint_auth_method: 'client_secret_post', client_secret: secret } },
  'private key': { client: { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [pair.publicKey.export({ format: 'jwk' })] } } },
  'PAR only': { features: { pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true } } },
  'PAR for this client': { client: { require_pushed_authorization_requests: true } },
  'DPoP only': { client: { dpop_bound_access_tokens: true } },
  'tokens kept': { rest: { rotateRefreshToken: false } },
  'EdDSA': { client: { id_token_signed_response_alg: 'EdDSA' } },
  'no refresh token': { client: { grant_types: ['authorization_code'] }, rest: { scopes: ['openid', 'profile', 'email'] } },
  'JWT for a resource': { features: { resourceIndicators: {
    enabled: true,
    getResourceServerInfo: async () => ({ scope: 'read', audience: 'urn:api', accessTokenTTL: Number(process.env.TTL), accessTokenFormat: 'jwt' }),
    useGrantedResource: async () => true,
  } } },
};

const servers = {};
for (const [name, { client = {}, features = {}, rest = {} }] of Object.entries(configurations)) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ ...native, ...client }],
    jwks: { keys },
    cookies: { keys: ['for tests only'] },
    scopes: ['openid', 'offline_access', 'profile', 'email'],
    claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
    pkce: { required: () => true },
    rotateRefreshToken: () => true,
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true },
      pushedAuthorizationRequests: { enabled: true },
      registration: { enabled: true, initialAccessToken: false },
      registrationManagement: { enabled: true },
      revocation: { enabled: true },
      ...features,
    },
    ttl: { AccessToken: Number(process.env.TTL), IdToken: 900, AuthorizationCode: 60, DeviceCode: 300, RefreshToken: days30, Session: 3600, Grant: days30, Interaction: 600 },
    findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, name: `User ${id}`, email: `${id}@example.test` }) }),
    ...rest,
  });
  server.on('request', provider.callback());
  servers[name] = { issuer, client_id: native.client_id, client_secret: client.client_secret };
}
servers['private key'].client_secret = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
console.log(JSON.stringify(servers));
process.stdin.resume().on('end', () => process.exit(0)); // goes with the test that started it
