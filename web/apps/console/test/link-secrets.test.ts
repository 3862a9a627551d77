// The secrets of invitation links live as long as their sessions may, in this browser only.
import { expect, test } from 'vitest';
import { LinkSecrets, type Store } from '../src/lib/link-secrets';

function memory(): Store & { all: Map<string, string> } {
  const all = new Map<string, string>();
  return {
    all,
    get length() {
      return all.size;
    },
    key: (at) => [...all.keys()][at] ?? null,
    getItem: (key) => all.get(key) ?? null,
    setItem: (key, value) => void all.set(key, value),
    removeItem: (key) => void all.delete(key),
  };
}

test('a secret is kept for its session until that ends', () => {
  const store = memory();
  const secrets = new LinkSecrets(() => store);
  secrets.keep('a', 'secret a', 0);
  secrets.keep('b', 'secret b', 0);
  expect([secrets.of('a', 1), secrets.of('b', 1), secrets.of('c', 1)]).toEqual(['secret a', 'secret b', undefined]);
  secrets.forget('a');
  expect([secrets.of('a', 1), secrets.of('b', 1)]).toEqual([undefined, 'secret b']);
});

test('old and broken ones are swept away, and what is not ours stays', () => {
  const store = memory();
  store.setItem('belay.theme', 'dark');
  store.setItem('belay.link-secret.broken', '{');
  const secrets = new LinkSecrets(() => store);
  secrets.keep('old', 'x', 0);
  secrets.keep('young', 'y', 36 * 3_600_000);
  secrets.sweep(36 * 3_600_000);
  expect([...store.all.keys()]).toEqual(['belay.theme', 'belay.link-secret.young']);
  expect(secrets.of('old', 36 * 3_600_000)).toBeUndefined();
});

test('a browser without storage goes on without secrets', () => {
  const secrets = new LinkSecrets(() => {
    throw new Error('storage is refused');
  });
  secrets.keep('a', 'secret', 0);
  secrets.sweep(0);
  expect(secrets.of('a', 0)).toBeUndefined();
});
