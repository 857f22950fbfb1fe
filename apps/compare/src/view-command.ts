import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { basename, extname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandBuilder, EXIT_OK, fail, fileReason, subcommand, wholeNumber } from '@hmm/cli';

/** Where the page lies: beside this program where it was packed with it, else in a clone of the repository. */
const PLACES = ['./explorer/', '../../explorer/dist/'].map((place) =>
  fileURLToPath(new URL(place, import.meta.url)),
);

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.map': 'application/json',
};

/** `view [FILE]`: the web page, served to this computer alone, with a program or a trace loaded. */
export const viewCommand: CommandBuilder = (parent, host, done) => {
  const cmd = subcommand(parent, host, 'view', ['view', 'view first-example.hmm', 'view app.lackey.gz'])
    .description('the web page: drivers side by side, step by step, in a browser')
    .argument('[file]', 'program, litmus test or recorded trace to open')
    .option('--port <n>', 'port on the loopback interface; any free one without it', wholeNumber, 0);
  cmd.action(async (file: string | undefined) => {
    const { port } = cmd.opts<{ port: number }>();
    const folder = await pageFolder();
    if (folder === undefined) {
      done(fail(host.output, 'the page is not built: run "pnpm --filter @hmm/explorer build"'));
      return;
    }
    const unreadable = file === undefined ? undefined : await reasonAgainst(file);
    if (unreadable !== undefined) {
      done(fail(host.output, unreadable));
      return;
    }
    const server = createServer(pageHandler(folder, file));
    const url = await listen(server, port);
    if (url === undefined) {
      done(fail(host.output, `port ${port} cannot be had on the loopback interface`));
      return;
    }
    const query = file === undefined ? '' : `?open=${encodeURIComponent(basename(file))}`;
    host.output.data(`${url}${query}\n`);
    host.output.say('Open this address in a browser; Ctrl-C ends it.');
    await new Promise<void>((resolve) => {
      process.once('SIGINT', resolve);
      process.once('SIGTERM', resolve);
    });
    server.closeAllConnections();
    server.close();
    done(EXIT_OK);
  });
};

async function pageFolder(): Promise<string | undefined> {
  for (const place of PLACES) if (await isFile(join(place, 'index.html'))) return place;
  return undefined;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function reasonAgainst(path: string): Promise<string | undefined> {
  try {
    return (await stat(path)).isFile() ? undefined : `${path} is no file`;
  } catch (error) {
    return `${path}: ${fileReason(error)}`;
  }
}

async function listen(server: Server, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    server.once('error', () => {
      resolve(undefined);
    });
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(
        typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}/` : undefined,
      );
    });
  });
}

/** Answers GET for the page's files and for the one file that was opened; nothing else can be reached. */
export function pageHandler(
  folder: string,
  file: string | undefined,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const path = pathOf(request, folder, file);
    if (path === undefined) {
      response.writeHead(request.method === 'GET' ? 404 : 405).end();
      return;
    }
    response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream');
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('cross-origin-opener-policy', 'same-origin');
    const stream = createReadStream(path);
    stream.once('error', () => {
      response.statusCode = 404;
      response.end();
    });
    stream.pipe(response);
  };
}

function pathOf(request: IncomingMessage, folder: string, file: string | undefined): string | undefined {
  // A page of another site that guessed the port has another Host.
  if (request.method !== 'GET' || !/^(?:127\.0\.0\.1|localhost)(?::\d+)?$/.test(request.headers.host ?? '')) {
    return undefined;
  }
  const asked = decoded((request.url ?? '/').replace(/[?#].*$/, ''));
  if (asked?.startsWith('/') !== true || asked.includes('\0')) return undefined;
  if (file !== undefined && asked === `/opened/${basename(file)}`) return file;
  const path = normalize(join(folder, asked === '/' ? 'index.html' : asked));
  return path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`) ? path : undefined;
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}
