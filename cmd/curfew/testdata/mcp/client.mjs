// The client of the MCP SDK, over a command's standard input and output or over
// HTTP. For each line that it reads it lists the server's tools and calls one.
//
// usage: node client.mjs COMMAND ARGUMENT... | URL
import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const [first, ...rest] = process.argv.slice(2);
const transport = first.startsWith('http')
  ? new StreamableHTTPClientTransport(new URL(first))
  : new StdioClientTransport({ command: first, args: rest, env: process.env, stderr: 'inherit' });
const client = new Client({ name: 'test', version: '1' });
try {
  await client.connect(transport);
  console.log('connected');
  for await (const _ of createInterface({ input: process.stdin })) {
    const { tools } = await client.listTools();
    const sum = await client.callTool({ name: 'add', arguments: { a: 1, b: 2 } });
    console.log(tools.map((t) => t.name).join(' '), sum.content[0].text);
  }
} catch (e) {
  console.log('failed: ' + e.message);
}
await client.close();
