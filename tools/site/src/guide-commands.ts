import { spawnSync } from 'node:child_process';
import { filesBelow, repositoryText, ROOT } from './repository.js';

/** A command of a page, and what the page says of it. */
export interface GuideCommand {
  /** `docs/guide/kernel.md:12`. */
  readonly where: string;
  readonly command: string;
  readonly exitCode: number;
  /** It runs until somebody ends it. */
  readonly endless: boolean;
  /** Lines that stand in its output, from the text block behind it. */
  readonly prints: readonly string[];
}

const BLOCK = /^```sh\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```$)?/gm;
const REMARK = / {2,}# (.*)$/;

/** The commands of a page. Those of the last block before a block of text print what that says. */
export function guideCommands(file: string): GuideCommand[] {
  const text = repositoryText(file);
  return [...text.matchAll(BLOCK)].flatMap((block) => {
    const line = text.slice(0, block.index).split('\n').length + 1;
    const commands = (block[1] ?? '').trimEnd().split('\n');
    const prints = (block[2] ?? '').split('\n').filter((said) => said.trim() !== '');
    return commands.map((typed, at) => {
      const remark = REMARK.exec(typed)?.[1] ?? '';
      return {
        where: `${file}:${line + at}`,
        command: typed.replace(REMARK, ''),
        exitCode: Number(/exit code (\d)/.exec(remark)?.[1] ?? 0),
        endless: remark.includes('until Ctrl-C'),
        prints: at === commands.length - 1 ? prints : [],
      };
    });
  });
}

/** Pages whose every command is run. */
export function guides(): string[] {
  return filesBelow('docs/guide', '.md').map((file) => `docs/guide/${file}`);
}

/** Longest that an endless command is watched, and that any other may take, ms. */
const WATCHED_MS = 20_000;
const PATIENCE_MS = 300_000;

/** Runs every command of the guides; a sentence for each that does not do what its page says. */
export function guideComplaints(say: (line: string) => void): string[] {
  return guides()
    .flatMap(guideCommands)
    .flatMap((guide) => {
      const complaints = complaintsOf(guide);
      say(complaints.length === 0 ? `${guide.where}: ${guide.command}: ok` : complaints.join('\n'));
      return complaints;
    });
}

function complaintsOf({ where, command, exitCode, endless, prints }: GuideCommand): string[] {
  // `npm run hmm` builds what is needed; here it is built.
  const built = command.replace(/^npm run (?:-s )?hmm --/, `node apps/compare/dist/cli.js`);
  const { status, stdout, stderr } = spawnSync('bash', ['-c', endless ? `exec ${built}` : built], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: endless ? WATCHED_MS : PATIENCE_MS,
    maxBuffer: 1 << 28,
  });
  if (endless) return stdout.trim() === '' ? [`${where}: ${command}: says nothing: ${stderr}`] : [];
  const missing = prints.filter((line) => !stdout.includes(line.trim()));
  return [
    ...(status === exitCode
      ? []
      : [`${where}: ${command}: exit code ${status}, not ${exitCode}: ${stderr.trim()}`]),
    ...missing.map((line) => `${where}: ${command}: does not print "${line.trim()}"`),
  ];
}
