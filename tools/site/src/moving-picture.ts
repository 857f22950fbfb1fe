/** What the explorer exported at one step. */
export interface Frame {
  readonly svg: string;
  /** Which of the five steps, from 1. */
  readonly step: number;
}

/** How long one frame is seen. */
const SECONDS = 3;

/**
 * One picture that shows exports of the explorer one after the other, for ever. Their styles are the same, and stand in it once; of the caption
 * the address is left out, which no picture needs.
 */
export function animated(frames: readonly Frame[]): string {
  const parts = frames.map(({ svg }) => partsOf(svg));
  const width = Math.max(...parts.map((part) => part.width));
  const height = Math.max(...parts.map((part) => part.height));
  const seconds = SECONDS * frames.length;
  const shown = (100 / frames.length).toFixed(2);
  const timing = frames.map((_, i) => `.frame-${i}{animation-delay:${SECONDS * i}s}`).join('');
  const moving =
    frames.length > 1
      ? `.frame{visibility:hidden;animation:frame ${seconds}s step-end infinite}${timing}@keyframes frame{0%{visibility:visible}${shown}%{visibility:hidden}}`
      : '';
  const groups = parts
    .map(
      ({ body }, i) =>
        `<g class="frame frame-${i}"><foreignObject width="100%" height="100%">${body}</foreignObject></g>`,
    )
    .join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" data-theme="light"><style>${parts[0]?.style ?? ''}${moving}</style><rect width="100%" height="100%" fill="#fff"/>\n${groups}\n</svg>\n`;
}

interface Parts {
  readonly width: number;
  readonly height: number;
  readonly style: string;
  readonly body: string;
}

function partsOf(svg: string): Parts {
  const [, width = '0'] = /<svg[^>]* width="(\d+)"/.exec(svg) ?? [];
  const [, height = '0'] = /<svg[^>]* height="(\d+)"/.exec(svg) ?? [];
  const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(svg) ?? [];
  const [, body = ''] = /<foreignObject[^>]*>([\s\S]*)<\/foreignObject>/.exec(svg) ?? [];
  return {
    width: Number(width),
    height: Number(height),
    style,
    body: body.replace(/<style>[\s\S]*?<\/style>/, '').replace(/; http:\/\/127[^<]*</, '<'),
  };
}
