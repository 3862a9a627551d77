// Reads the golden vectors that Rust writes and checks.
import { readFileSync } from 'node:fs';
import { toHex } from '../src/wire/encoding';

export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../../docs/protocol/vectors/${name}`, import.meta.url), 'utf8')) as T;
}

/** The same value with bytes as hexadecimal text, as the vectors write them. */
export function asVector(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(asVector);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, asVector(field)]));
  }
  return value ?? null;
}

/** The value of a vector with hexadecimal text turned into bytes in these fields. */
export function withBytes(value: object, fields: readonly string[], fromHex: (text: string) => Uint8Array): object {
  return Object.fromEntries(
    Object.entries(value).map(([key, field]: [string, unknown]) => [
      key,
      fields.includes(key) && typeof field === 'string' ? fromHex(field) : field,
    ]),
  );
}
