import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type CommandBuilder, subcommand } from './cli.js';
import { EXIT_FAILED, EXIT_OK, fail, type Output } from './output.js';

const NO_VALGRIND =
  'valgrind is not installed: its lackey tool records the accesses (on Debian or Ubuntu: apt install valgrind; other ways to record are in docs/traces)';

/** `record -- PROG ARGS`: runs a program under valgrind's lackey and keeps the trace. */
export function recordCommand(): CommandBuilder {
  return (parent, host, done) => {
    const cmd = subcommand(parent, host, 'record', ['record -o app.lackey.gz -- ./app --size 100'])
      .description('run a program under valgrind and keep every memory access of it as a trace')
      .option('-o, --output <path>', 'file to write, gzip', 'trace.lackey.gz')
      .argument('<program>', 'program to run')
      .argument('[args...]', 'its arguments');
    cmd.action(async (program: string, args: string[]) => {
      done(await record(program, args, cmd.opts<{ output: string }>().output, host.output, host.program));
    });
  };
}

async function record(
  program: string,
  args: readonly string[],
  path: string,
  output: Output,
  self: string,
): Promise<number> {
  if (spawnSync('valgrind', ['--version']).error !== undefined) return fail(output, NO_VALGRIND);
  // Lackey's trace goes to a pipe of its own, so that the program keeps its standard streams.
  const command = ['--tool=lackey', '--trace-mem=yes', '--log-fd=3', program, ...args];
  const child = spawn('valgrind', command, { stdio: ['inherit', 'inherit', 'inherit', 'pipe'] });
  const trace = child.stdio[3];
  if (trace === null || trace === undefined || !('read' in trace))
    return fail(output, 'no pipe could be made');
  const ended = new Promise<number>((resolve) => {
    child.on('close', (code) => {
      resolve(code ?? EXIT_FAILED);
    });
  });
  const unfinished = `${path}.unfinished`;
  const packed = createGzip({ level: 1 });
  try {
    await pipeline(trace, packed, createWriteStream(unfinished));
  } catch (error) {
    child.kill();
    rmSync(unfinished, { force: true });
    return fail(output, `${path}: ${error instanceof Error ? error.message : 'this file cannot be written'}`);
  }
  const code = await ended;
  if (packed.bytesWritten === 0) {
    // Lackey's first lines come as soon as there is a program.
    rmSync(unfinished, { force: true });
    return fail(output, `${program} cannot be run`);
  }
  renameSync(unfinished, path);
  if (code !== 0) output.say(`${program} ended with ${code}`);
  output.say(`${path}: recorded; see it with ${self} import ${path}, play it with ${self} run ${path}`);
  return code === 0 ? EXIT_OK : EXIT_FAILED;
}
