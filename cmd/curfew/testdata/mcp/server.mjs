// The server of the MCP SDK over HTTP. It prints its address, and asks for no
// token: what is in front of it does.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const sessions = new Map();

async function session() {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, transport),
  });
  const server = new Server({ name: 'shop', version: '1' }, { capabilities: { tools: {} } });
  const number = { type: 'number' };
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: [{ name: 'add', inputSchema: { type: 'object', properties: { a: number, b: number } } }],
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params: { arguments: { a, b } } }) => ({
    content: [{ type: 'text', text: String(a + b) }],
  }));
  await server.connect(transport);
  return transport;
}

const web = createServer(async (req, res) => {
  const transport = sessions.get(req.headers['mcp-session-id']) ?? (await session());
  await transport.handleRequest(req, res);
});
web.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${web.address().port}`));
