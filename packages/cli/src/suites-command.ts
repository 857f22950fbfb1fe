import { NEWEST_EXACT_RELEASE, type Release } from '@hmm/kernel';
import { formatTable, wrapText } from '@hmm/report';
import { runSuite, type Suite, type SuiteClient, type SuiteResult } from '@hmm/suites';
import { type CommandBuilder, subcommand } from './cli.js';
import { jsonOption, releaseName } from './options.js';
import { EXIT_FAILED, EXIT_OK, fail } from './output.js';

/** What `suites --json` prints. */
export interface SuitesReport {
  readonly version: 1;
  readonly results: readonly SuiteResult[];
}

interface SuitesOptions {
  readonly json: boolean;
  readonly list: boolean;
  readonly client: readonly string[];
  readonly release: readonly Release[];
  readonly test?: string;
}

/** `suites [NAME…]`: the suites that others wrote for their drivers, run on the drivers here. */
export function suitesCommand(suites: readonly Suite[], clients: readonly SuiteClient[]): CommandBuilder {
  return (parent, host, done) => {
    const first = suites[0]?.name ?? '';
    const cmd = jsonOption(
      subcommand(parent, host, 'suites', [
        'suites --list',
        `suites ${first}`,
        `suites ${first} --client ${clients[0]?.name ?? ''} --test 'once-*'`,
        'suites --release 6.12 --release 7.3 --json',
      ]),
    )
      .description('run test suites that driver teams wrote, on every driver that they have a meaning for')
      .argument('[names...]', 'suites (all without)')
      .option('--list', 'only say which suites and clients there are', false)
      .option('--client <name>', 'only this client, or driver; may be given again', collected, [])
      .option('--release <release>', 'Linux that is modelled; may be given again', releases, [])
      .option('--test <pattern>', 'only tests of this name; * stands for anything');
    cmd.action((names: string[]) => {
      const options = cmd.opts<SuitesOptions>();
      const chosen = names.length === 0 ? suites : suites.filter(({ name }) => names.includes(name));
      const unknown = names.find((name) => !suites.some((suite) => suite.name === name));
      const on = clients.filter(({ name }) => isAsked(name, options.client));
      if (unknown !== undefined) {
        const known = suites.map(({ name }) => name).join(', ');
        done(fail(host.output, `there is no suite ${unknown} (suites: ${known})`));
      } else if (on.length === 0) {
        const known = clients.map(({ name }) => name).join(', ');
        done(fail(host.output, `there is no client ${options.client.join(', ')} (clients: ${known})`));
      } else if (options.list) {
        host.output.data(options.json ? `${JSON.stringify(listOf(chosen, on))}\n` : formatList(chosen, on));
        done(EXIT_OK);
      } else {
        const asked = options.release.length === 0 ? [NEWEST_EXACT_RELEASE] : options.release;
        const wanted = matcher(options.test);
        const results = chosen.map((suite) => ({
          suite,
          results: runSuite(suite, { clients: on, releases: asked, wanted }),
        }));
        const report: SuitesReport = { version: 1, results: results.flatMap((each) => each.results) };
        if (report.results.length === 0) {
          done(fail(host.output, 'no test has such a name'));
          return;
        }
        host.output.data(
          options.json
            ? `${JSON.stringify(report)}\n`
            : results.map((each) => formatSuite(each.suite, each.results)).join('\n'),
        );
        done(report.results.some(isUnexplained) ? EXIT_FAILED : EXIT_OK);
      }
    });
  };
}

function collected(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function releases(value: string, before: readonly Release[]): Release[] {
  return [...before, releaseName(value)];
}

/** Whether a client, `DRIVER/GPU`, is among those asked for, by its name or its driver's. */
function isAsked(name: string, asked: readonly string[]): boolean {
  return asked.length === 0 || asked.some((each) => each === name || each === name.split('/')[0]);
}

/** Whether a test's name is as a pattern with `*`. */
function matcher(pattern: string | undefined): (name: string) => boolean {
  if (pattern === undefined) return () => true;
  const parts = pattern.split('*').map((text) => text.replace(/[^\w ]/g, '\\$&'));
  const expression = new RegExp(`^${parts.join('.*')}$`);
  return (name) => expression.test(name);
}

/** A failure that no defect of the real driver explains. */
function isUnexplained({ result, defect }: SuiteResult): boolean {
  return result === 'failed' && defect === null;
}

function listOf(suites: readonly Suite[], clients: readonly SuiteClient[]): object {
  return {
    version: 1,
    suites: suites.map(({ name, title, source }) => ({ name, title, source })),
    clients: clients.map(({ name }) => name),
  };
}

function formatList(suites: readonly Suite[], clients: readonly SuiteClient[]): string {
  const columns = [{ title: 'suite' }, { title: 'of' }];
  const rows = suites.map(({ name, title }) => [name, title]);
  return `${formatTable(columns, rows)}\n\nclients: ${clients.map(({ name }) => name).join(', ')}\n`;
}

/** Its own table, or a line a client; then why tests were refused or failed, each reason once. */
function formatSuite(suite: Suite, results: readonly SuiteResult[]): string {
  if (results.length === 0) return '';
  const table = suite.table?.(results) ?? formatCounts(results);
  const reasons = reasonsOf(results).map((text) => wrapText(text));
  return [suite.title, '', table, '', ...reasons, ''].join('\n');
}

function formatCounts(results: readonly SuiteResult[]): string {
  const columns = [
    { title: 'client' },
    { title: 'Linux' },
    ...(['passed', 'refused', 'failed'] as const).map((title) => ({ title, align: 'right' as const })),
  ];
  const keys = new Map(results.map(({ client, release }) => [`${client} ${release}`, { client, release }]));
  const rows = [...keys.values()].map(({ client, release }) => {
    const own = results.filter((each) => each.client === client && each.release === release);
    const count = (what: SuiteResult['result']): string =>
      String(own.filter(({ result }) => result === what).length);
    return [client, release, count('passed'), count('refused'), count('failed')];
  });
  return formatTable(columns, rows);
}

/** A line a reason: how often, the first test that it was given for, and where a defect is described. */
function reasonsOf(results: readonly SuiteResult[]): string[] {
  const found = new Map<string, { of: SuiteResult; times: number }>();
  for (const of of results) {
    if (of.result === 'passed') continue;
    const key = `${of.client} ${of.result} ${of.defect ?? ''} ${of.result === 'failed' ? of.test : (of.reason ?? '')}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { of, times: 1 });
    else known.times++;
  }
  return [...found.values()].map(({ of, times }) => {
    const { client, result, test, reason, defect, link } = of;
    const why = defect === null ? (reason ?? '') : `${reason ?? ''}; defect ${defect}, see ${link ?? ''}`;
    const which = times === 1 ? test : `${times} tests, as ${test}`;
    return `${client} ${result} ${which}: ${why}`;
  });
}
