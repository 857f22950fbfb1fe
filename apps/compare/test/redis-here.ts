import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { freePort } from './free-port.js';

const PROGRAM = '/usr/bin/redis-server';

/** Why there can be no Redis on this machine; undefined where there can. */
export const noRedis = existsSync(PROGRAM) ? undefined : `Redis is not installed (${PROGRAM})`;

/** A Redis of its own, on a port that is free, with a password; it keeps nothing. */
export class RedisHere {
  /** Where it is. */
  url = '';
  private server: ChildProcess | undefined;

  /** Starts it. */
  async start(): Promise<void> {
    const port = String(await freePort());
    const options = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--requirepass', 'secret'];
    const server = spawn(PROGRAM, ['--port', port, ...options], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.server = server;
    this.url = `redis://:secret@127.0.0.1:${port}`;
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject);
      server.stdout.on('data', (chunk: Buffer) => {
        if (String(chunk).includes('Ready to accept connections')) resolve();
      });
    });
  }

  /** Ends it. */
  stop(): void {
    this.server?.kill();
  }
}
