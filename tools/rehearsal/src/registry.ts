import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { PackedPackage } from './tarball.js';

/** A registry on this machine that knows nothing but what is published to it. */
export interface Registry {
  /** Ends in a slash. */
  readonly url: string;
  /** Publishes a package as it is packed, as the newest. @throws Error where the registry refuses it. */
  publish(packed: PackedPackage): Promise<void>;
  /** The versions of a package, in the order of their publishing. */
  versions(name: string): Promise<readonly string[]>;
  stop(): void;
}

const HOST = '127.0.0.1';
/** Half a second each. */
const TRIES = 240;

/**
 * Starts Verdaccio on a free port with its storage in `work`, without a registry behind it.
 * @throws Error where it does not start.
 */
export async function startRegistry(work: string): Promise<Registry> {
  mkdirSync(work, { recursive: true });
  const config = join(work, 'config.yaml');
  writeFileSync(config, configText(join(work, 'storage')));
  const port = await freePort();
  const bin = createRequire(import.meta.url).resolve('verdaccio/bin/verdaccio');
  const child = spawn(process.execPath, [bin, '--config', config, '--listen', `${HOST}:${port}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  const url = `http://${HOST}:${port}/`;
  for (let tries = 0; !(await answers(url)); tries++) {
    if (child.exitCode !== null || tries === TRIES) {
      child.kill();
      throw new Error(`Verdaccio does not start: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return {
    url,
    publish: (packed) => publish(url, packed),
    versions: async (name) => {
      const response = await fetch(url + encodeURIComponent(name));
      if (!response.ok) return [];
      const { versions } = (await response.json()) as { versions: Readonly<Record<string, unknown>> };
      return Object.keys(versions);
    },
    stop: () => {
      child.kill();
    },
  };
}

function configText(storage: string): string {
  return [
    `storage: ${JSON.stringify(storage)}`,
    'uplinks: {}',
    'max_body_size: 100mb',
    "packages: { '**': { access: $all, publish: $all, unpublish: $all } }",
    'log: { type: stdout, format: pretty, level: fatal }',
    '',
  ].join('\n');
}

/** Publishes with the request that `npm publish` sends. */
async function publish(url: string, { name, version, tarball, manifest }: PackedPackage): Promise<void> {
  const bytes = readFileSync(tarball);
  const file = `${name}-${version}.tgz`;
  const dist = {
    integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
    shasum: createHash('sha1').update(bytes).digest('hex'),
    tarball: `${url}${name}/-/${file}`,
  };
  const body = {
    _id: name,
    name,
    'dist-tags': { latest: version },
    versions: { [version]: { ...manifest, _id: `${name}@${version}`, dist } },
    _attachments: {
      [file]: {
        content_type: 'application/octet-stream',
        data: bytes.toString('base64'),
        length: bytes.length,
      },
    },
  };
  const response = await send(url + encodeURIComponent(name), {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${name} ${version} is not published: ${await response.text()}`);
}

/** Sends a request, again where the connection that was kept had been closed meanwhile: a command was waited for in between. */
async function send(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch {
    return await fetch(url, request);
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}-/ping`)).ok;
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, HOST, () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port);
        else reject(new Error('there is no free port'));
      });
    });
  });
}
