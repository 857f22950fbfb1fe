import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';

/** Width of the stored pictures, pixels: enough to see what is where, small enough to keep. */
const WIDTH = 480;
/** A pixel differs when a channel is further off than that. */
const CHANNEL = 40;

/**
 * Compares what a page shows with the stored picture `name`. The comparison is made small by the browser itself, so that
 * the edges of letters do not count. `UPDATE_SCREENS=1` stores it instead.
 * @returns share of pixels that differ, 0 … 1; 0 where the picture was stored just now.
 */
export async function compareScreen(page: Page, scratch: Page, name: string): Promise<number> {
  const file = fileURLToPath(new URL(`screens/${name}.png`, import.meta.url));
  const shot = (await page.screenshot({ animations: 'disabled', caret: 'hide' })).toString('base64');
  const small = await scratch.evaluate(reduce, { shot, width: WIDTH });
  if (process.env['UPDATE_SCREENS'] === '1' || !existsSync(file)) {
    if (process.env['UPDATE_SCREENS'] !== '1')
      throw new Error(`there is no picture ${file}: UPDATE_SCREENS=1 makes it`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, Buffer.from(small, 'base64'));
    return 0;
  }
  const stored = readFileSync(file).toString('base64');
  return scratch.evaluate(compare, { a: small, b: stored, channel: CHANNEL });
}

async function reduce({ shot, width }: { shot: string; width: number }): Promise<string> {
  const image = new Image();
  image.src = `data:image/png;base64,${shot}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = Math.round((image.height * width) / image.width);
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('no canvas');
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL('image/png').replace(/^.*,/, '');
}

async function compare({ a, b, channel }: { a: string; b: string; channel: number }): Promise<number> {
  const pixels = async (png: string): Promise<ImageData> => {
    const image = new Image();
    image.src = `data:image/png;base64,${png}`;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = image.width;
    canvas.height = image.height;
    const context = canvas.getContext('2d');
    if (context === null) throw new Error('no canvas');
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, image.width, image.height);
  };
  const [first, second] = [await pixels(a), await pixels(b)];
  if (first.width !== second.width || first.height !== second.height) return 1;
  let differing = 0;
  for (let i = 0; i < first.data.length; i += 4) {
    const off = [0, 1, 2].some(
      (c) => Math.abs((first.data[i + c] ?? 0) - (second.data[i + c] ?? 0)) > channel,
    );
    if (off) differing++;
  }
  return differing / (first.data.length / 4);
}
