// The invitation link carries its secret in the fragment, which browsers do not send.

/** The token in a fragment, or nothing where it cannot be one of ours. */
export function tokenOf(fragment: string): string | undefined {
  const token = fragment.replace(/^#/, '');
  return /^[A-Za-z0-9_-]{16,256}$/.test(token) ? token : undefined;
}

/** Reads the token and takes it out of the address bar and the history at once. */
export function takeToken(): string | undefined {
  if (!location.hash) return undefined;
  const token = tokenOf(location.hash);
  history.replaceState(null, '', location.pathname + location.search);
  return token;
}
