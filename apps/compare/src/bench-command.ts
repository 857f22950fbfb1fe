import { type CommandBuilder, subcommand } from '@hmm/cli';
import { runCloneTool } from './clone-tool.js';

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
    const { repeat, ...flags } = cmd.opts<{
      repeat?: string;
      list?: true;
      json?: true;
      together?: true;
      cpu?: true;
    }>();
    const options = Object.keys(flags).map((flag) => `--${flag}`);
    if (repeat !== undefined) options.push('--repeat', repeat);
    done(await runCloneTool('bench', 'the benchmarks', [...options, ...words], host.output));
  });
};
