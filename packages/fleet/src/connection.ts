import { HmmError } from '@hmm/kernel';
import { Redis } from 'ioredis';

/** Name of the queue. */
export const QUEUE = 'hmm-explorations';

/** A job that a worker has lost is another's after so many milliseconds: a worker that lives says so more often. */
export const LOCK_MS = 6000;

/**
 * A connection to Redis. `rediss:` is with TLS; user, password and database are in the URL.
 * @throws HmmError `FLEET_UNREACHABLE` where there is none, or it wants another password
 */
export async function connect(url: string): Promise<Redis> {
  let last = '';
  const redis = new Redis(url, {
    maxRetriesPerRequest: null,
    lazyConnect: true,
    retryStrategy: (times) => (ready ? Math.min(200 * times, 2000) : null),
  });
  let ready = false;
  redis.on('error', (error: Error) => (last = error.message));
  try {
    await redis.connect();
    await redis.ping();
    ready = true;
    return redis;
  } catch (error) {
    redis.disconnect();
    const why = last === '' ? String(error) : last;
    throw new HmmError('FLEET_UNREACHABLE', `${shown(url)} cannot be used: ${why}`, {});
  }
}

/** A URL without its password. @throws HmmError `FLEET_URL` where it is none of Redis */
export function shown(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !['redis:', 'rediss:'].includes(parsed.protocol))
    throw new HmmError(
      'FLEET_URL',
      'a fleet is given as redis://[user:password@]host[:port] or rediss://…',
      {},
    );
  return `${parsed.protocol}//${parsed.host}`;
}
