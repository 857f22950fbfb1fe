import pc from 'picocolors';

/** Where a command's text goes: data to standard output, talk to standard error. */
export interface Output {
  /** Data. Written as it is. */
  data(text: string): void;
  /** A line of talk. */
  say(line: string): void;
  /** Replaces the progress line; nothing is shown where nobody watches. */
  progress(text: string): void;
  /** Whether standard error is a terminal. */
  readonly watched: boolean;
}

/** Standard output and standard error of this process. A reader that goes away ends the program quietly. */
export function processOutput(): Output {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
  const watched = process.stderr.isTTY;
  const { dim } = colours(watched);
  let line = 0;
  const clear = (): void => {
    if (line > 0) process.stderr.write(`\r${' '.repeat(line)}\r`);
    line = 0;
  };
  return {
    watched,
    data(text) {
      clear();
      process.stdout.write(text);
    },
    say(text) {
      clear();
      process.stderr.write(`${text}\n`);
    },
    progress(text) {
      if (!watched) return;
      clear();
      const shown = text.slice(0, (process.stderr.columns || 80) - 1);
      line = shown.length;
      process.stderr.write(dim(shown));
    },
  };
}

/** Colours for a terminal that wants them; elsewhere text stays as it is. */
function colours(watched: boolean): ReturnType<typeof pc.createColors> {
  return pc.createColors(watched && pc.isColorSupported);
}

/** An error as every command shows it: one line on standard error. */
export function fail(output: Output, message: string): number {
  output.say(`${colours(output.watched).red('error:')} ${message.replace(/\s*\n\s*/g, ' ')}`);
  return EXIT_USAGE;
}

/** All went well. */
export const EXIT_OK = 0;
/** What was checked does not hold. */
export const EXIT_FAILED = 1;
/** Wrong usage or input. */
export const EXIT_USAGE = 2;
