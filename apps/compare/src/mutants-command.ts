import { type CommandBuilder, jsonOption, positiveNumber, subcommand } from '@hmm/cli';
import { runCloneTool } from './clone-tool.js';

/** `mutants [ID…]`: plants each historical bug in a copy of the sources, and says which tests catch it. */
export const mutantsCommand: CommandBuilder = (parent, host, done) => {
  const cmd = jsonOption(
    subcommand(parent, host, 'mutants', ['mutants', 'mutants B4 B39', 'mutants --jobs 2', 'mutants --json']),
  )
    .description('plant historical bugs, and see them caught')
    .argument('[ids...]', 'bugs of the catalogue (all without)')
    .option('--jobs <n>', 'bugs at once (default: as many as there are cores)', positiveNumber)
    .option('--library <dir>', 'where the litmus tests are (default: the shipped ones)');
  cmd.action(async (ids: string[]) => {
    const { json, jobs, library } = cmd.opts<{ json?: boolean; jobs?: number; library?: string }>();
    const options = json === true ? ['--json'] : [];
    if (jobs !== undefined) options.push('--jobs', String(jobs));
    if (library !== undefined) options.push('--library', library);
    const what = 'historical bugs are diffs against the sources: to plant them and run their tests they';
    done(await runCloneTool('mutants', what, [...options, '--', ...ids], host.output));
  });
};
