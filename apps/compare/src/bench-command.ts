import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type CommandBuilder, EXIT_FAILED, fail, subcommand } from '@hmm/cli';

/** The harness in a clone of the repository; an installed package has none. */
const HARNESS = fileURLToPath(new URL('../../../tools/bench/dist/cli.js', import.meta.url));

/** `bench`: hands its arguments to the project's own harness, in a process of its own. */
export const benchCommand: CommandBuilder = (parent, host, done) => {
  const cmd = subcommand(parent, host, 'bench', ['bench --list', 'bench gpu', 'bench kernel --json'])
    .description("the project's own speed, beside bare loops of the same shape")
    .argument('[words...]', 'only benchmarks whose package and name contain all of these')
    .option('--list', 'say which there are')
    .option('--json', 'print one JSON document instead of text')
    .option('--repeat <n>', 'repetitions of each')
    .option('--together', 'all in one process')
    .option('--cpu', 'count CPU time: for a machine that others use as well');
  cmd.action(async (words: string[]) => {
    if (!existsSync(HARNESS)) {
      done(
        fail(
          host.output,
          `the benchmarks are part of a clone of the repository, built: there is no ${HARNESS}`,
        ),
      );
      return;
    }
    const { repeat, ...flags } = cmd.opts<{
      repeat?: string;
      list?: true;
      json?: true;
      together?: true;
      cpu?: true;
    }>();
    const options = Object.keys(flags).map((flag) => `--${flag}`);
    if (repeat !== undefined) options.push('--repeat', repeat);
    const child = spawn(process.execPath, [HARNESS, ...options, ...words], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    done(
      await new Promise<number>((resolve) => {
        child.on('close', (code) => {
          resolve(code ?? EXIT_FAILED);
        });
      }),
    );
  });
};
