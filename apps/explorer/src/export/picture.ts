const SVG_NS = 'http://www.w3.org/2000/svg';
const CAPTION_HEIGHT = 44;
const SCALE = 2;

/** A part of the page as a self-contained SVG: its elements, its styles, its canvases as images, and a caption below. */
export function pictureOf(
  element: HTMLElement,
  caption: string,
): { svg: string; width: number; height: number } {
  const { width, height } = element.getBoundingClientRect();
  const copy = element.cloneNode(true);
  if (!(copy instanceof HTMLElement)) throw new Error('there is nothing to take a picture of');
  const canvases = element.querySelectorAll('canvas');
  for (const [i, canvas] of copy.querySelectorAll('canvas').entries()) {
    const original = canvases[i];
    if (original === undefined) continue;
    const image = document.createElement('img');
    image.src = original.toDataURL('image/png');
    image.style.cssText = original.style.cssText;
    image.width = original.clientWidth;
    image.height = original.clientHeight;
    image.style.display = 'block';
    canvas.replaceWith(image);
  }
  const style = document.createElement('style');
  style.textContent = allStyles();
  const note = document.createElement('p');
  note.textContent = caption;
  note.setAttribute('style', 'margin:8px 0 0;font-size:12px');
  const body = document.createElement('div');
  body.append(style, copy, note);
  body.setAttribute('style', `width:${width}px;background:var(--panel);color:var(--ink);padding:8px`);
  const svg = document.createElementNS(SVG_NS, 'svg');
  const full = { width: Math.ceil(width) + 16, height: Math.ceil(height) + CAPTION_HEIGHT };
  svg.setAttribute('width', String(full.width));
  svg.setAttribute('height', String(full.height));
  svg.dataset['theme'] = document.documentElement.dataset['theme'] ?? 'light';
  const frame = document.createElementNS(SVG_NS, 'foreignObject');
  frame.setAttribute('width', '100%');
  frame.setAttribute('height', '100%');
  frame.append(body);
  const description = document.createElementNS(SVG_NS, 'desc');
  description.textContent = caption;
  svg.append(description, frame);
  return { svg: new XMLSerializer().serializeToString(svg), ...full };
}

/** The picture as PNG, two pixels for each of the page's. */
export async function pngOf(picture: { svg: string; width: number; height: number }): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(picture.svg)}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = picture.width * SCALE;
  canvas.height = picture.height * SCALE;
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('the browser gives no canvas to draw on');
  context.scale(SCALE, SCALE);
  context.drawImage(image, 0, 0);
  return new Promise((done, fail) => {
    canvas.toBlob((blob) => {
      if (blob === null) fail(new Error('the picture is too large for this browser'));
      else done(blob);
    }, 'image/png');
  });
}

function allStyles(): string {
  return [...document.styleSheets]
    .flatMap((sheet) => [...sheet.cssRules])
    .map((rule) => rule.cssText)
    .join('\n');
}

/** Hands a file to the reader. */
export function download(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => {
    URL.revokeObjectURL(url);
  }, 10_000);
}
