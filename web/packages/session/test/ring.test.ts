// The ring of bytes between two threads: what is written comes out, once and in its order, however it is cut.
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { RECORD, recordHead, type RecordKind, RecordReader } from '../src/sockets/records';
import { makeRing, RingReader, RingWriter } from '../src/sockets/ring';
import { Random } from './random';

const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => Uint8Array.from(values);

/** A ring whose positions have come so far already. */
function ring(capacity: number, position = 0): [RingWriter, RingReader] {
  const memory = makeRing(capacity);
  new Int32Array(memory, 0, 2).fill(position | 0);
  return [new RingWriter(memory), new RingReader(memory)];
}

function all(reader: RingReader, most = 1 << 16): Uint8Array<ArrayBuffer> {
  const into = new Uint8Array(most);
  return into.slice(0, reader.read(into));
}

test('what is written is read, and an empty ring has nothing', () => {
  const [writer, reader] = ring(8);
  expect(all(reader)).toEqual(bytes());
  expect(writer.write(bytes(1, 2, 3))).toBe(3);
  expect(all(reader, 2)).toEqual(bytes(1, 2));
  expect(all(reader)).toEqual(bytes(3));
  expect(all(reader)).toEqual(bytes());
});

test('a full ring takes nothing, and as much as was read after that, around its end', () => {
  const [writer, reader] = ring(4);
  expect(writer.write(bytes(1, 2, 3, 4, 5, 6))).toBe(4);
  expect(writer.write(bytes(5, 6))).toBe(0);
  expect(all(reader, 3)).toEqual(bytes(1, 2, 3));
  expect(writer.write(bytes(5, 6, 7, 8))).toBe(3);
  expect(all(reader)).toEqual(bytes(4, 5, 6, 7));
});

test('only a power of two is a capacity', () => {
  for (const capacity of [0, 3, 1000, -4, 2 ** 31]) expect(() => makeRing(capacity)).toThrow(RangeError);
});

test.each([0, 0x7ffffff0, 0xfffffff0])('any writes and any reads, in any turn, are the same bytes in the same order, from position %i on', (position) => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = new Random(seed);
    const capacity = 1 << random.below(7);
    const [writer, reader] = ring(capacity, position);
    const [written, heard]: [number[], number[]] = [[], []];
    for (let turn = 0; turn < 200; turn += 1) {
      if (random.chance(50)) {
        const some = random.bytes(random.below(2 * capacity + 2));
        const taken = writer.write(some);
        // As much as there is room for, neither less nor more.
        expect(taken).toBe(Math.min(some.length, capacity - (written.length - heard.length)));
        written.push(...some.subarray(0, taken));
      } else {
        const most = random.below(2 * capacity + 2);
        const some = all(reader, most);
        expect(some.length).toBe(Math.min(most, written.length - heard.length));
        heard.push(...some);
      }
    }
    heard.push(...all(reader));
    expect(heard).toEqual(written);
  }
});

test('records come out whole and in order, also those longer than the ring, however reading and writing take turns', () => {
  const kinds = Object.values(RECORD);
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = new Random(seed);
    const [writer, reader] = ring(1 << random.below(8));
    const records = new RecordReader(reader);
    const written = Array.from({ length: 20 }, () => ({
      kind: kinds[random.below(kinds.length)] as RecordKind, socket: random.below(4), content: random.bytes(random.chance(20) ? 0 : random.below(400)),
    })); // prettier-ignore
    const heard: unknown[] = [];
    const hear = (): void => {
      for (let record = records.next(); record !== undefined; record = records.next()) heard.push(record);
    };
    for (const { kind, socket, content } of written) {
      for (const part of [recordHead(kind, socket, content.length), content]) {
        for (let rest = part; rest.length > 0; ) {
          const taken = writer.write(rest.subarray(0, 1 + random.below(rest.length)));
          rest = rest.subarray(taken);
          if (taken === 0 || random.chance(30)) hear();
        }
      }
    }
    // The last bytes may need several looks: a record ends, and the next one begins.
    hear();
    expect(heard).toEqual(written);
  }
});

test('whoever waits for more is woken by the writer, and does not wait for what is there', async () => {
  const [writer, reader] = ring(16);
  const order: string[] = [];
  const waiting = reader.more().then(() => order.push('woken'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(order).toEqual([]);
  writer.write(bytes(1));
  writer.wake();
  await waiting;
  expect(order).toEqual(['woken']);
  // Nothing was read: there is more.
  await reader.more();
});

test('two threads at full speed: a writer that waits for room, a reader that waits for more', async () => {
  const length = 3_000_000;
  const memory = makeRing(1024);
  const source = ts.transpileModule(readFileSync(new URL('../src/sockets/ring.ts', import.meta.url), 'utf8'), {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  }).outputText;
  const writing = `${source}
    const { workerData } = require('node:worker_threads');
    const writer = new RingWriter(workerData.memory);
    for (let at = 0; at < workerData.length; ) {
      const some = Uint8Array.from({ length: Math.min(1 + (at * 7919) % 3000, workerData.length - at) }, (_, n) => (at + n) * 31 % 251);
      for (let rest = some; ; writer.waitForRoom()) {
        rest = rest.subarray(writer.write(rest));
        if (rest.length === 0) break;
      }
      writer.wake();
      at += some.length;
    }`;
  const worker = new Worker(writing, { eval: true, workerData: { memory, length } });
  const failed = new Promise<never>((_, reject) => worker.once('error', reject));
  const reader = new RingReader(memory);
  const into = new Uint8Array(700);
  let [heard, wrong] = [0, 0];
  while (heard < length) {
    await Promise.race([reader.more(), failed]);
    for (let count = reader.read(into); count > 0; count = reader.read(into)) {
      for (let n = 0; n < count; n += 1) if (into[n] !== ((heard + n) * 31) % 251) wrong += 1;
      heard += count;
    }
  }
  expect([heard, wrong]).toEqual([length, 0]);
  await worker.terminate();
});
