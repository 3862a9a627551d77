// The invitation link carries its token in the fragment, which browsers do not send; behind a dot the secret that no server
// gets to know. The page posts the token, and puts the secret into the program that the end user downloads.

export interface Invitation { token: string; secret?: string }

/** What a fragment carries, or nothing where it cannot be one of ours. A secret that is cut counts as none. */
export function invitationOf(fragment: string): Invitation | undefined {
  const [token = '', secret = ''] = fragment.replace(/^#/, '').split('.');
  if (!/^[A-Za-z0-9_-]{16,256}$/.test(token)) return undefined;
  return /^[A-Za-z0-9_-]{43}$/.test(secret) ? { token, secret } : { token };
}

/** Reads the invitation and takes it out of the address bar and the history at once. */
export function takeInvitation(): Invitation | undefined {
  if (!location.hash) return undefined;
  const invitation = invitationOf(location.hash);
  history.replaceState(null, '', location.pathname + location.search);
  return invitation;
}
