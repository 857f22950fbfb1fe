import { deflateSync, inflateSync, strFromU8, strToU8 } from 'fflate';

const MAX_STATE_BYTES = 1 << 20;
/** A longer fragment is none of ours; unpacking it could take long. */
const MAX_FRAGMENT = 1 << 18;

/** `value` as text for a URL's fragment: JSON, deflated, base64url. */
export function encodeFragment(value: unknown): string {
  const bytes = deflateSync(strToU8(JSON.stringify(value)), { level: 9 });
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The value in a fragment made by {@link encodeFragment}; undefined for anything else, however large or broken. */
export function decodeFragment(fragment: string): unknown {
  if (fragment.length > MAX_FRAGMENT) return undefined;
  try {
    const binary = atob(fragment.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    const out = new Uint8Array(MAX_STATE_BYTES);
    const text = strFromU8(inflateSync(bytes, { out }));
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
