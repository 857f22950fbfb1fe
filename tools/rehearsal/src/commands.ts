import { spawnSync } from 'node:child_process';

/** What a command did. */
export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  /** Both streams. */
  readonly text: string;
}

/** Runs a command to its end with nothing on standard input. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): Ran {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 << 20,
    timeout: 600_000,
  });
  return { status, stdout, text: error?.message ?? `${stdout}${stderr}`.trim() };
}

/** As {@link run}. @throws Error where the command fails. */
export function runOrThrow(command: string, args: readonly string[], cwd: string): Ran {
  const ran = run(command, args, cwd);
  if (ran.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${ran.text}`);
  return ran;
}
