// Puts the secret of the invitation link into the downloaded program, behind its tag (docs/protocol/applet-tag.md), so that it
// goes from the technician's browser to the end user's computer without any server.
import { downloadAction, type PlatformName } from '@belay/api';

/** How a tagged program ends, and what marks a secret behind it; both are padded to 16 bytes. */
const TAG_MARK = padded('belay-tag/1');
const SECRET_MARK = padded('belay-secret/1');
const SECRET = 32;

/** What goes behind a program that ends in `end`, or nothing where it does not belong. */
export function extension(end: Uint8Array, secret: string): Uint8Array<ArrayBuffer> | undefined {
  if (end.length !== TAG_MARK.length || !end.every((byte, at) => byte === TAG_MARK[at])) return undefined;
  const bytes = Uint8Array.from(atob(secret.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  if (bytes.length !== SECRET) return undefined;
  const whole = new Uint8Array(SECRET + SECRET_MARK.length);
  whole.set(bytes);
  whole.set(SECRET_MARK, SECRET);
  return whole;
}

/** Downloads the program with the secret in it; false where that did not work and the ordinary download has to do. */
export async function downloadWithSecret(joinToken: string, platform: PlatformName, secret: string): Promise<boolean> {
  try {
    const body = new URLSearchParams({ join_token: joinToken, platform });
    const response = await fetch(downloadAction, { method: 'POST', body });
    if (!response.ok) return false;
    const program = await response.blob();
    const end = new Uint8Array(await program.slice(-TAG_MARK.length).arrayBuffer());
    const more = extension(end, secret);
    if (more === undefined) return false;
    save(new Blob([program, more], { type: 'application/octet-stream' }), fileName(response));
    return true;
  } catch {
    return false; // an old browser, or a network that broke: the form tries in its own way
  }
}

/** The name the server gives the file. */
export function fileNameOf(disposition: string | null): string {
  return /filename="([A-Za-z0-9._-]{1,64})"/.exec(disposition ?? '')?.[1] ?? 'belay-support';
}

function fileName(response: Response): string {
  return fileNameOf(response.headers.get('content-disposition'));
}

function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The browser may still be reading it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function padded(mark: string): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(Array.from(mark, (c) => c.charCodeAt(0)));
  return bytes;
}
