// better-auth as a peer of the tests, with pages of its own: better-auth has an
// API for them and no pages. It prints its issuer and client as one line of JSON
// when it is ready. TTL is how many seconds access tokens live.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';
import { oauthProvider, oauthProviderOpenIdConfigMetadata } from '@better-auth/oauth-provider';

process.env.BETTER_AUTH_TELEMETRY = '0';
const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const base = `http://127.0.0.1:${server.address().port}`;

const tables = ['user', 'session', 'account', 'verification', 'jwks', 'oauthClient', 'oauthRefreshToken', 'oauthAccessToken', 'oauthConsent', 'oauthResource', 'oauthClientResource', 'oauthClientAssertion'];
const auth = betterAuth({
  baseURL: base,
  secret: 'for tests only, for tests only, for tests only',
  database: memoryAdapter(Object.fromEntries(tables.map((name) => [name, []]))),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  logger: { level: 'error' },
  plugins: [
    jwt(),
    oauthProvider({
      loginPage: '/login', consentPage: '/consent', scopes: ['openid', 'profile', 'email', 'offline_access'],
      accessTokenExpiresIn: Number(process.env.TTL), allowDynamicClientRegistration: true, allowUnauthenticatedClientRegistration: true, silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
    }),
  ],
});
await auth.api.signUpEmail({ body: { name: 'Alice', email: 'alice@example.test', password: 'alice-pw' } });
const made = await (await fetchHere('/oauth2/register', { redirect_uris: ['http://127.0.0.1/callback'], token_endpoint_auth_method: 'none', application_type: 'native', grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], scope: 'openid email offline_access' })).json();

// fetchHere calls the API as a page does.
async function fetchHere(path, body, cookie = '') {
  return auth.handler(new Request(`${base}/api/auth${path}`, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', Origin: base, cookie } }));
}

const page = (res, html) => res.writeHead(200, { 'Content-Type': 'text/html' }).end(html);
const api = toNodeHandler(auth);
const metadata = oauthProviderOpenIdConfigMetadata(auth);
server.on('request', async (req, res) => {
  const url = new URL(req.url, base);
  if (url.pathname.endsWith('/.well-known/openid-configuration')) return res.setHeader('Content-Type', 'application/json').end(await (await metadata(new Request(url))).text());
  if (req.method === 'GET' && url.pathname === '/login') return page(res, `<form method="post" action="/login${url.search.replaceAll('"', '&quot;')}"><input name="username"><input type="password" name="password"><button>Log in</button></form>`);
  if (req.method === 'GET' && url.pathname === '/consent') return page(res, `<form method="post" action="/consent${url.search.replaceAll('"', '&quot;')}"><button>Allow</button><button name="deny" value="1">Deny</button></form>`);
  if (url.pathname !== '/login' && url.pathname !== '/consent') return api(req, res);
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const form = new URLSearchParams(Buffer.concat(chunks).toString());
  const oauth_query = url.search.slice(1);
  const answer = url.pathname === '/login'
    ? await fetchHere('/sign-in/email', { email: `${form.get('username')}@example.test`, password: form.get('password'), oauth_query }, req.headers.cookie)
    : await fetchHere('/oauth2/consent', { accept: !form.has('deny'), oauth_query }, req.headers.cookie);
  const said = await answer.json();
  const cookies = answer.headers.getSetCookie();
  if (cookies.length > 0) res.setHeader('Set-Cookie', cookies);
  const to = said.url ?? said.redirect_uri ?? answer.headers.get('Location');
  if (!to) return res.writeHead(500).end(JSON.stringify(said));
  res.writeHead(303, { Location: to }).end();
});
const { issuer } = await (await metadata(new Request(`${base}/.well-known/openid-configuration`))).json();
console.log(JSON.stringify({ 'better-auth': { issuer, client_id: made.client_id } }));
if (!made.client_id) console.error(made);
process.stdin.resume().on('end', () => process.exit(0)); // goes with the test that started it
