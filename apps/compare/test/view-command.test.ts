import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pageHandler } from '../src/view-command.js';

const folder = mkdtempSync(join(tmpdir(), 'hmm-view-'));
const secret = `${folder}-secret`;
let server: Server;
let port = 0;

beforeAll(async () => {
  writeFileSync(join(folder, 'index.html'), '<p>page');
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'given.hmm'), 'malloc a 4KiB');
  writeFileSync(secret, 'secret');
  server = createServer(pageHandler(folder, join(folder, 'given.hmm')));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterAll(() => {
  server.close();
});

function get(path: string, host = '127.0.0.1', method = 'GET'): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', path, method, headers: { host } }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

test('the page and the opened file are served', async () => {
  expect(await get('/')).toEqual({ status: 200, text: '<p>page' });
  expect(await get('/?open=given.hmm')).toEqual({ status: 200, text: '<p>page' });
  expect(await get('/opened/given.hmm')).toEqual({ status: 200, text: 'malloc a 4KiB' });
});

test('nothing outside of the page can be reached, by no other name of this computer and no other method', async () => {
  const name = secret.split('/').at(-1) ?? '';
  for (const path of [
    `/../${name}`,
    `/%2e%2e/${name}`,
    `/..%2f${name}`,
    `/opened/../../${name}`,
    '/missing',
    '/%zz',
    '/%00',
    '//',
    '//[',
    '/assets',
  ]) {
    expect((await get(path)).status).toBe(404);
  }
  expect((await get('/', 'evil.example')).status).toBe(404);
  expect((await get('/', '127.0.0.1', 'POST')).status).toBe(405);
});
