import { type CommandBuilder, runCommand } from '@hmm/cli';
import type { ClientFactory } from '@hmm/device';
import { DEFAULT_RELEASE, RELEASES } from '@hmm/kernel';
import { type NouveauClient, nouveauFactory } from '@hmm/nouveau-model';
import { firmwareDirectory } from './firmware-directory.js';

/** Options of this driver alone, with the setting that each stands for. */
const OPTIONS = [
  ['firmware', '--firmware <dir>', 'where the signed images are: a directory, all (default) or none'],
  [
    'kernel',
    '--kernel <release>',
    `whose nouveau: one of ${RELEASES.join(', ')} (default ${DEFAULT_RELEASE})`,
  ],
  ['mended', '--mended <defects>', 'defects of the real driver that are mended: all, or names with commas'],
] as const;

/**
 * `run FILE` with nouveau's own options. Says on standard error what the kernel log would have shown: missing
 * firmware, killed channels.
 */
export function nouveauRunCommand(): CommandBuilder {
  return (parent, host, done) => {
    const clients: NouveauClient[] = [];
    const build = runCommand([remembering(nouveauFactory(firmwareDirectory), clients)]);
    build(parent, host, (code) => {
      for (const line of clients.at(-1)?.log ?? []) host.output.say(line);
      done(code);
    });
    const command = parent.commands.at(-1);
    for (const [setting, flags, description] of OPTIONS) {
      command?.option(flags, description);
      command?.on(`option:${setting}`, (value: string) => {
        const before: unknown = command.getOptionValue('set');
        const settings = before instanceof Map ? before : new Map<string, string>();
        command.setOptionValue('set', new Map([...settings, [setting, value]]));
      });
    }
  };
}

/** A factory that keeps what it makes. */
function remembering(
  factory: ClientFactory<NouveauClient>,
  clients: NouveauClient[],
): ClientFactory<NouveauClient> {
  return {
    ...factory,
    create: (host, gpu, settings) => {
      const made = factory.create(host, gpu, settings);
      if (made.ok) clients.push(made.client);
      return made;
    },
  };
}
