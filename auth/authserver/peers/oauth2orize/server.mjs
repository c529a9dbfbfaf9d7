// oauth2orize as a peer of the tests: OAuth 2 without OpenID Connect and without
// discovery, as many Node programs have it. It prints its address and client as
// one line of JSON when it is ready. TTL is how many seconds access tokens live.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { createHash, randomUUID } from 'node:crypto';
import oauth2orize from 'oauth2orize';
import pkce from 'oauth2orize-pkce';

const client = { id: 'curfew', redirect: 'http://127.0.0.1/callback' };
const codes = new Map(), refreshTokens = new Map(), sessions = new Map();
const issue = (user, done) => {
  const refresh = randomUUID();
  refreshTokens.set(refresh, user);
  done(null, randomUUID(), refresh, { expires_in: Number(process.env.TTL) });
};

const oauth = oauth2orize.createServer();
oauth.serializeClient((c, done) => done(null, c.id));
oauth.deserializeClient((id, done) => done(null, id === client.id && client));
oauth.grant(pkce.extensions());
oauth.grant(oauth2orize.grant.code((c, redirect, user, ares, areq, done) => {
  const code = randomUUID();
  codes.set(code, { user, redirect, challenge: areq.codeChallenge });
  done(null, code);
}));
oauth.exchange(oauth2orize.exchange.code((c, code, redirect, body, done) => {
  const known = codes.get(code);
  codes.delete(code);
  if (!known || known.redirect !== redirect || pkceHash(body.code_verifier) !== known.challenge) return done(null, false);
  issue(known.user, done);
}));
oauth.exchange(oauth2orize.exchange.refreshToken((c, token, scope, done) => {
  const user = refreshTokens.get(token);
  refreshTokens.delete(token); // each is good once
  user ? issue(user, done) : done(null, false);
}));

const pkceHash = (verifier) => createHash('sha256').update(verifier ?? '').digest('base64url');

const page = (res, status, html) => res.writeHead(status, { 'Content-Type': 'text/html' }).end(html);
const authorize = oauth.authorize((id, redirect, done) => {
  const u = new URL(redirect);
  u.port = ''; // RFC 8252 section 7.3
  done(null, id === client.id && u.href === client.redirect ? client : false, redirect);
});

const server = createServer(async (req, res) => {
  const url = new URL(req.url, issuer);
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  req.query = Object.fromEntries(url.searchParams);
  req.body = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
  let id = /sid=([^;]+)/.exec(req.headers.cookie ?? '')?.[1];
  if (!sessions.has(id)) {
    id = randomUUID();
    sessions.set(id, {});
    res.setHeader('Set-Cookie', `sid=${id}; HttpOnly`);
  }
  req.session = sessions.get(id);
  req.user = req.session.user;
  res.redirect = (to) => res.writeHead(302, { Location: to }).end(); // as Express has it
  const failed = (err) => err && oauth.errorHandler({ mode: url.pathname === '/token' ? 'direct' : 'indirect' })(err, req, res, () => page(res, err.status ?? 500, `error: ${err.message}`));
  switch (`${req.method} ${url.pathname}`) {
    case 'GET /authorize':
      if (!req.user) return page(res, 200, `<form method="post" action="/login"><input type="hidden" name="next" value="${encodeURIComponent(req.url)}"><input name="username"><input type="password" name="password"><button>Log in</button></form>`);
      return authorize(req, res, (err) => err ? failed(err) : page(res, 200, `<form method="post" action="/decision"><input type="hidden" name="transaction_id" value="${req.oauth2.transactionID}"><button>Allow</button><button name="cancel" value="1">Deny</button></form>`));
    case 'POST /login':
      if (req.body.username !== 'alice' || req.body.password !== 'alice-pw') return page(res, 401, 'wrong name or password');
      req.session.user = { id: 'alice' };
      return res.writeHead(303, { Location: decodeURIComponent(req.body.next) }).end();
    case 'POST /decision': {
      const steps = oauth.decision();
      const next = (i) => (err) => err ? failed(err) : steps[i] ? steps[i](req, res, next(i + 1)) : undefined;
      return next(0)();
    }
    case 'POST /token':
      if (req.body.client_id !== client.id) return res.writeHead(401, { 'Content-Type': 'application/json' }).end('{"error":"invalid_client"}');
      req.user = client; // as passport does
      return oauth.token()(req, res, failed);
    default:
      return page(res, 404, 'nothing here');
  }
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
console.log(JSON.stringify({ oauth2orize: { issuer, client_id: client.id } }));
process.stdin.resume().on('end', () => process.exit(0)); // goes with the test that started it
