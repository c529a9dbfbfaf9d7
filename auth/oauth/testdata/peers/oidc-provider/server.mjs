// A certified authorization server as a peer of the tests. It listens on a free
// port of 127.0.0.1 and prints its issuer when it is ready. Its own interaction
// pages take any name and password.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const days30 = 30 * 24 * 3600;
const jwk = (type, options) => generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' });
const native = {
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  response_types: ['code'],
  redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://localhost/callback'],
};

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    { client_id: 'curfew', ...native },
    { client_id: 'curfew-es256', ...native, id_token_signed_response_alg: 'ES256' },
    { client_id: 'curfew-secret', ...native, token_endpoint_auth_method: 'client_secret_basic', client_secret: 'not: so secret+secret' },
  ],
  jwks: { keys: [
    { ...jwk('rsa', { modulusLength: 2048 }), kid: 'rsa', use: 'sig' },
    { ...jwk('ec', { namedCurve: 'P-256' }), kid: 'ec', use: 'sig' },
  ] },
  cookies: { keys: ['for tests only'] },
  scopes: ['openid', 'offline_access', 'profile', 'email'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  pkce: { required: () => true },
  rotateRefreshToken: () => true,
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true },
    pushedAuthorizationRequests: { enabled: true },
    registration: { enabled: true, initialAccessToken: false },
    revocation: { enabled: true },
  },
  ttl: { AccessToken: 900, IdToken: 900, AuthorizationCode: 60, DeviceCode: 300, RefreshToken: days30, Session: 3600, Grant: days30, Interaction: 600 },
  findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, name: `User ${id}`, email: `${id}@example.test` }) }),
});
server.on('request', provider.callback());
console.log(issuer);
process.stdin.resume().on('end', () => process.exit(0)); // goes with the test that started it
