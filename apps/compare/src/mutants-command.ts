import { type CommandBuilder, jsonOption, subcommand } from '@hmm/cli';
import { runCloneTool } from './clone-tool.js';

/** `mutants [ID…]`: plants each historical bug in a copy of the sources, and says which tests catch it. */
export const mutantsCommand: CommandBuilder = (parent, host, done) => {
  const cmd = jsonOption(subcommand(parent, host, 'mutants', ['mutants', 'mutants B4 B39', 'mutants --json']))
    .description('plant historical bugs, and see them caught')
    .argument('[ids...]', 'bugs of the catalogue (all without)')
    .option('--library <dir>', 'where the litmus tests are (default: the shipped ones)');
  cmd.action(async (ids: string[]) => {
    const { json, library } = cmd.opts<{ json?: boolean; library?: string }>();
    const options = json === true ? ['--json'] : [];
    if (library !== undefined) options.push('--library', library);
    const what = 'historical bugs are diffs against the sources: to plant them and run their tests they';
    done(await runCloneTool('mutants', what, [...options, '--', ...ids], host.output));
  });
};
