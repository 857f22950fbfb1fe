import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EXIT_FAILED, fail, type Output } from '@hmm/cli';

/**
 * Runs a tool of a clone of the repository, built, in a process of its own on this one's streams; an installed package has none.
 * @param name of its folder below `tools/`. @param what it is, for the message where there is none: `the benchmarks`.
 * @returns its exit code.
 */
export async function runCloneTool(
  name: string,
  what: string,
  args: readonly string[],
  output: Output,
): Promise<number> {
  const script = fileURLToPath(new URL(`../../../tools/${name}/dist/cli.js`, import.meta.url));
  if (!existsSync(script))
    return fail(output, `${what} need a clone of the repository, built: there is no ${script}`);
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  return await new Promise<number>((resolve) => {
    child.on('close', (code) => {
      resolve(code ?? EXIT_FAILED);
    });
  });
}
