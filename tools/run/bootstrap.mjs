// What `npm start`, `npm test` and `npm run hmm` share: from a clone with only Node and npm to installed
// dependencies and built packages. Plain Node, no dependencies, since it runs before there are any.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
/** Folders of `tools/` that the command starts. */
const APP_TOOLS = ['bench', 'mutants'];
const stamps = join(root, 'node_modules', '.hmm');

/** The environment of every child: no telemetry, no questions, network failures found in seconds. */
export const environment = {
  ...process.env,
  TURBO_TELEMETRY_DISABLED: '1',
  DO_NOT_TRACK: '1',
  COREPACK_ENABLE_DOWNLOAD_PROMPT: '0',
  npm_config_update_notifier: 'false',
  npm_config_fetch_retry_mintimeout: '1000',
  npm_config_fetch_retry_maxtimeout: '5000',
};

/** Writes one line of talk to standard error. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** Ends the process with a clear message and exit code 2. */
export function stop(...lines) {
  for (const line of lines) say(`hmm: ${line}`);
  process.exit(2);
}

/** Ends the process with a clear message unless this Node is new enough (`engines` in package.json). */
export function requireNode() {
  const wanted = /(\d+)\.(\d+)/.exec(manifest.engines.node);
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > Number(wanted[1]) || (major === Number(wanted[1]) && minor >= Number(wanted[2]))) return;
  stop(
    `Node ${wanted[1]}.${wanted[2]} or newer is needed; this is ${process.version} (${process.execPath}).`,
    'Install a current Node from https://nodejs.org or your package manager, then run the command again.',
  );
}

/**
 * Runs a command to its end with nothing on standard input; `stdout: 2` sends its output to standard error.
 * Returns its exit status (128 + signal number when a signal ended it).
 */
export function run([command, ...args], { stdout = 'inherit', stdin = 'ignore', env = environment } = {}) {
  const result = spawnSync(command, args, { cwd: root, env, stdio: [stdin, stdout, 'inherit'] });
  if (result.error) {
    stop(`cannot run ${command}: ${result.error.message}`);
  }
  return result.status ?? 128 + (result.signal === 'SIGINT' ? 2 : 15);
}

/** As `run`, with the output shown on standard error and also kept: `{ status, text }`. */
function runKept([command, ...args]) {
  const result = spawnSync(command, args, {
    cwd: root,
    env: environment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 << 20,
  });
  if (result.error) stop(`cannot run ${command}: ${result.error.message}`);
  return { status: result.status ?? 1, text: `${result.stdout}${result.stderr}` };
}

let pnpmCommand;

/** The command line that starts exactly the pnpm that `packageManager` pins: from PATH, or through npx. */
export function pnpm(...args) {
  if (pnpmCommand === undefined) {
    const version = manifest.packageManager.replace(/^pnpm@/, '').replace(/\+.*$/, '');
    // Asked outside the repository: inside, another pnpm would first fetch the pinned one.
    const found = spawnSync('pnpm', ['--version'], {
      cwd: tmpdir(),
      env: { ...environment, COREPACK_ENABLE_NETWORK: '0' },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const onPath = found.status === 0 && found.stdout.trim() === version;
    pnpmCommand = onPath ? ['pnpm'] : ['npx', '--yes', `pnpm@${version}`];
  }
  return [...pnpmCommand, ...args];
}

const NO_NETWORK =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|NO_OFFLINE|META_FETCH_FAIL/;

/** Installs the locked dependencies, unless that was done for these very manifests already. */
export function install() {
  const state = manifestsHash();
  if (readStamp('installed') === state) return;
  say('hmm: installing dependencies (pnpm, frozen lockfile) …');
  const { status, text } = runKept(pnpm('install', '--frozen-lockfile', '--prefer-offline'));
  if (status !== 0) {
    process.stderr.write(text);
    if (!NO_NETWORK.test(text)) stop('the dependencies could not be installed; the messages above say why.');
    stop(
      'the dependencies could not be fetched: there is no network, and the caches of npm and pnpm lack them.',
      'Run this once with access to the npm registry; after that it works offline.',
    );
  }
  writeStamp('installed', state);
}

/**
 * Builds the app `hmm` and all that it stands on (JavaScript only), unless no source changed since the last time.
 * Returns the exit status.
 */
export function buildApp() {
  const state = newestSource();
  if (existsSync(join(root, 'apps/compare/dist/cli.js')) && readStamp('built') === state) return 0;
  say('hmm: building …');
  const filters = ['--filter=@hmm/compare...', ...APP_TOOLS.map((name) => `--filter=@hmm/${name}`)];
  const status = run(pnpm('exec', 'turbo', 'run', 'build', ...filters, '--output-logs=errors-only'), {
    stdout: 2,
    env: { ...environment, HMM_BUILD: 'js' },
  });
  if (status === 0) writeStamp('built', state);
  return status;
}

/** The workspace's package folders, as paths from the root. */
export function packageFolders() {
  return ['packages', 'apps', 'tools'].flatMap((group) =>
    readdirSync(join(root, group))
      .map((name) => `${group}/${name}`)
      .filter((folder) => existsSync(join(root, folder, 'package.json'))),
  );
}

function manifestsHash() {
  const hash = createHash('sha256').update(process.platform + process.arch);
  const files = ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml'];
  for (const folder of packageFolders()) {
    files.push(`${folder}/package.json`);
    if (!existsSync(join(root, folder, 'node_modules'))) hash.update(`${folder} is not linked`);
  }
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/** A number that changes when a file of the app's build is written, added or removed. */
function newestSource() {
  let newest = 0;
  let count = 0;
  const visit = (path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return;
    newest = Math.max(newest, stat.mtimeMs);
    count++;
    if (stat.isDirectory()) for (const name of readdirSync(path)) visit(join(path, name));
  };
  for (const file of ['tools/config/tsup.js', 'tsconfig.base.json', 'pnpm-lock.yaml'])
    visit(join(root, file));
  for (const folder of packageFolders()) {
    if (folder.startsWith('tools/') && !APP_TOOLS.includes(folder.slice('tools/'.length))) continue;
    for (const part of ['src', 'package.json', 'tsup.config.ts']) visit(join(root, folder, part));
  }
  return `${newest} ${count}`;
}

function readStamp(name) {
  const path = join(stamps, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function writeStamp(name, value) {
  mkdirSync(stamps, { recursive: true });
  writeFileSync(join(stamps, name), value);
}
