import { type CommandBuilder, subcommand } from './cli.js';
import { exploreBudget } from './jobs/explore-budget.js';
import { fleetPackage } from './jobs/explore-on-fleet.js';
import type { LitmusDevices } from './litmus-command.js';
import { EXIT_OK } from './output.js';

/** `fleet worker --fleet URL`: explores what `litmus --fleet URL` puts into the queue, until Ctrl-C. */
export function fleetCommand({ create }: Pick<LitmusDevices, 'create'>): CommandBuilder {
  return (parent, host, done) => {
    const fleet = subcommand(parent, host, 'fleet', [
      'fleet worker --fleet redis://:secret@queue.example',
    ]).description('explorations shared out over machines by a queue in Redis');
    const inner = { ...host, program: `${host.program} fleet` };
    const cmd = subcommand(fleet, inner, 'worker', [
      'worker --fleet redis://localhost',
      'worker --fleet rediss://hmm:secret@queue.example:6380',
    ])
      .description('explore what others put into the queue, until Ctrl-C; one a core')
      .requiredOption('--fleet <url>', 'the Redis with the queue (rediss: with TLS)');
    cmd.action(async () => {
      const { fleet: url } = cmd.opts<{ fleet: string }>();
      const { serveFleet } = await fleetPackage();
      const ending = new AbortController();
      const end = (): void => {
        ending.abort();
      };
      process.on('SIGINT', end).on('SIGTERM', end);
      await serveFleet(
        url,
        ({ task, options, part }, budget) =>
          exploreBudget(task, create, plain(options), part ?? undefined, budget),
        ending.signal,
        (line) => {
          host.output.say(line);
        },
      );
      process.off('SIGINT', end).off('SIGTERM', end);
      done(EXIT_OK);
    });
  };
}

/** Options without those that are not there. */
function plain<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]: Exclude<T[K], undefined> };
}
