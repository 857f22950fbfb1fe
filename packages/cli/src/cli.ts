import { existsSync } from 'node:fs';
import { HmmError } from '@hmm/kernel';
import { Command, CommanderError, Help, type Option } from 'commander';
import { EXIT_USAGE, fail, type Output, processOutput } from './output.js';

/** What a command is handed. */
export interface CommandHost {
  readonly output: Output;
  /** Name of the program, for examples: `hmm`. */
  readonly program: string;
}

/** A command: adds itself to `parent` and calls `done` with its exit code. */
export type CommandBuilder = (parent: Command, host: CommandHost, done: (code: number) => void) => void;

/** An application: its name and its commands. */
export interface Application {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /** Copyable lines shown when it is run without arguments. */
  readonly examples: readonly string[];
  readonly commands: readonly CommandBuilder[];
  /** The file of an example that comes with the application, by name; undefined where there is none. */
  readonly example?: (name: string) => string | undefined;
}

/** Runs an application on `argv` (without node and script); returns the exit code. Never throws. */
export async function runApplication(
  app: Application,
  argv: readonly string[],
  output: Output,
): Promise<number> {
  let code = 0;
  const host: CommandHost = { output, program: app.name };
  const root = command(new Command(app.name), output)
    .description(app.description)
    .version(app.version)
    .addHelpText('after', exampleText(app.examples));
  for (const add of app.commands) {
    add(root, host, (result) => (code = result));
  }
  if (argv.length === 0) {
    output.data(root.helpInformation() + exampleText(app.examples));
    return 0;
  }
  try {
    await root.parseAsync(withExamples(app, argv), { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    if (error instanceof HmmError) return fail(output, `${error.message} (${error.code})`);
    throw error;
  }
}

/** The arguments, those that name no file but an example replaced by its file; what follows an option is left alone. */
function withExamples({ example }: Application, argv: readonly string[]): string[] {
  return argv.map((text, at) => {
    const before = argv[at - 1];
    if (before === undefined || before.startsWith('-') || text.startsWith('-') || existsSync(text))
      return text;
    return example?.(text) ?? text;
  });
}

/** Runs an application on this process's arguments and streams. */
export async function main(app: Application): Promise<void> {
  process.exitCode = await runApplication(app, process.argv.slice(2), processOutput());
}

/** Gives a command the manners that all share: one-line errors, 80 columns, no exit of its own. */
export function command(cmd: Command, output: Output): Command {
  return cmd
    .exitOverride()
    .configureHelp({ helpWidth: 80, optionDescription })
    .configureOutput({
      writeOut: (text) => {
        output.data(text);
      },
      writeErr: (text) => {
        output.say(text.trimEnd());
      },
      outputError: (text) => {
        fail(output, text.trim().replace(/^error: /, ''));
      },
    });
}

/** An option's line in the help; that a list is empty at first, or a flag off, goes without saying. */
function optionDescription(option: Option): string {
  return new Help().optionDescription(option).replace(/ \(default: (?:\{.*\}|\[.*\]|false)\)$/, '');
}

/** A new subcommand of `parent` with the manners that all share. */
export function subcommand(
  parent: Command,
  host: CommandHost,
  name: string,
  examples: readonly string[],
): Command {
  const child = command(parent.command(name), host.output);
  return child.addHelpText('after', exampleText(examples.map((text) => `${host.program} ${text}`)));
}

function exampleText(examples: readonly string[]): string {
  return `\nExamples:\n${examples.map((line) => `  ${line}\n`).join('')}`;
}
