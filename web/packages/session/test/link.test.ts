// The link under loss, repetition and disorder, on a clock of its own.
import { describe, expect, test } from 'vitest';
import { Link, LinkError, MAX_EARLY, MAX_UNACKNOWLEDGED, type PathKind } from '../src/link';
import { type Bytes } from '../src/wire/codec';
import { type Class, encodePacket } from '../src/wire/link';
import { Random } from './random';

interface Flying {
  packet: Bytes;
  to: 0 | 1;
  arrives: number;
}

/** Two ends and a path between them. */
class World {
  now = 0;
  readonly ends: [Link, Link];
  readonly got: [Map<Class, number[]>, Map<Class, number[]>] = [new Map(), new Map()];
  packets = 0;
  private flying: Flying[] = [];

  constructor(
    path: PathKind,
    private readonly random: Random,
    private readonly weather: { loss: number; twice: number; delay: number },
  ) {
    this.ends = [new Link(path), new Link(path)];
  }

  send(from: 0 | 1, of: Class, value: number): void {
    this.fly(from, this.ends[from].send(of, Uint8Array.of(value >> 8, value & 255), this.now)!);
  }

  fly(from: 0 | 1, packet: Bytes): void {
    this.packets += 1;
    if (this.random.chance(this.weather.loss)) return;
    for (let copy = this.random.chance(this.weather.twice) ? 2 : 1; copy > 0; copy -= 1) {
      const delay = 5 + this.random.below(this.weather.delay + 1);
      this.flying.push({ packet, to: from === 0 ? 1 : 0, arrives: this.now + delay });
    }
  }

  run(milliseconds: number): void {
    for (const end = this.now + milliseconds; this.now < end; this.now += 1) {
      const arrived = this.flying.filter(({ arrives }) => arrives <= this.now);
      this.flying = this.flying.filter(({ arrives }) => arrives > this.now);
      for (const { packet, to } of arrived) this.arrive(packet, to);
      for (const side of [0, 1] as const) {
        const wake = this.ends[side].wakeAt;
        if (wake === undefined || wake > this.now) continue;
        for (const packet of this.ends[side].due(this.now)) this.fly(side, packet);
      }
    }
  }

  private arrive(packet: Bytes, to: 0 | 1): void {
    for (const { class: of, message } of this.ends[to].receive(packet, this.now)) {
      const list = this.got[to].get(of) ?? [];
      this.got[to].set(of, list);
      list.push((message[0]! << 8) | message[1]!);
    }
  }
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

describe.each([1, 2, 3, 4, 5])('seed %i', (seed) => {
  test('reliable classes arrive once and in order over a bad path', () => {
    const world = new World('lossy', new Random(seed), { loss: 25, twice: 15, delay: 60 });
    for (const at of numbers(300)) {
      world.send(0, 'ordered', at);
      world.send(0, 'input', at);
      if (at % 3 === 0) world.send(1, 'ordered', at / 3);
      world.run(3);
    }
    world.run(30_000);
    expect(world.got[1].get('ordered')).toEqual(numbers(300));
    expect(world.got[1].get('input')).toEqual(numbers(300));
    expect(world.got[0].get('ordered')).toEqual(numbers(100));
    expect(world.ends[0].wakeAt).toBeUndefined();
    expect(world.ends[1].wakeAt).toBeUndefined();
  });

  test('of the other classes only newer ones are delivered', () => {
    const world = new World('lossy', new Random(seed), { loss: 20, twice: 20, delay: 80 });
    for (const at of numbers(200)) {
      world.send(0, 'cursor', at);
      world.run(2);
    }
    world.run(500);
    const got = world.got[1].get('cursor') ?? [];
    expect(got.length).toBeGreaterThan(20);
    expect(got).toEqual([...new Set(got)].sort((a, b) => a - b));
  });
});

test('on the relay nothing is sent again, and an acknowledgement goes within 20 ms', () => {
  const world = new World('ordered', new Random(1), { loss: 0, twice: 0, delay: 0 });
  world.send(0, 'input', 1);
  world.run(5 + 20 + 5 + 1);
  expect(world.packets).toBe(2);
  world.run(5000);
  expect(world.packets).toBe(2);
});

test('an acknowledgement goes with a packet that goes anyway', () => {
  const world = new World('ordered', new Random(1), { loss: 0, twice: 0, delay: 0 });
  world.send(0, 'ordered', 1);
  world.run(7);
  world.send(1, 'ordered', 2);
  world.run(200);
  // Two messages, and the acknowledgement of the second.
  expect(world.packets).toBe(3);
});

test('input does not wait behind a lost ordered message', () => {
  const [here, there] = [new Link('lossy'), new Link('lossy')];
  here.send('ordered', Uint8Array.of(1), 0);
  const input = here.send('input', Uint8Array.of(2), 0)!;
  expect(there.receive(input, 5).map(({ message }) => message[0])).toEqual([2]);
});

test('after a change of path everything unacknowledged is sent again', () => {
  const [here, there] = [new Link('ordered'), new Link('ordered')];
  for (const at of numbers(5)) here.send('ordered', Uint8Array.of(at), 0);
  const again = here.changePath('ordered', 100);
  expect(again.flatMap((packet) => there.receive(packet, 110)).map(({ message }) => message[0])).toEqual(numbers(5));
});

test('without a path reliable messages wait, others are superseded, and nothing is due', () => {
  const [here, there] = [new Link('ordered'), new Link('ordered')];
  there.receive(here.send('ordered', Uint8Array.of(0), 0)!, 1);
  there.pathDown();
  expect([there.wakeAt, there.due(1000)]).toEqual([undefined, []]);
  here.pathDown();
  expect(here.send('cursor', Uint8Array.of(9), 5)).toBeUndefined();
  expect(here.send('ordered', Uint8Array.of(1), 5)).toBeUndefined();
  expect(here.unacknowledged('ordered')).toEqual([Uint8Array.of(0), Uint8Array.of(1)]);
  const again = here.changePath('ordered', 100);
  expect(again.flatMap((packet) => there.receive(packet, 110)).map(({ message }) => message[0])).toEqual([1]);
  const [answer] = there.changePath('ordered', 120);
  here.receive(answer!, 130);
  expect([here.unacknowledged('ordered'), here.waitingSince]).toEqual([[], undefined]);
});

test('a new path carries at least an acknowledgement', () => {
  expect(new Link(undefined).changePath('ordered', 0)).toEqual([encodePacket({ ordered: 0, input: 0 })]);
});

test('early messages are held up to a limit, further ones come again', () => {
  const there = new Link('ordered');
  const none = { ordered: 0, input: 0 };
  const carry = (number: number): Bytes =>
    encodePacket(none, { class: 'ordered', number, message: Uint8Array.of(number & 255) });
  for (let number = 1; number <= MAX_EARLY + 10; number += 1) expect(there.receive(carry(number), 0)).toEqual([]);
  expect(there.receive(carry(0), 0)).toHaveLength(1 + MAX_EARLY);
  expect(there.receive(carry(MAX_EARLY + 1), 0)).toHaveLength(1);
  expect(there.receive(carry(3), 0)).toEqual([]);
});

test('a partner that never acknowledges makes the link fail, not the memory grow', () => {
  const here = new Link('ordered');
  for (let count = 0; count < MAX_UNACKNOWLEDGED; count += 1) here.send('input', Uint8Array.of(1), 0);
  expect(() => here.send('input', Uint8Array.of(1), 0)).toThrow(LinkError);
  here.send('ordered', new Uint8Array(4 * 1024 * 1024), 0);
  expect(() => here.send('ordered', Uint8Array.of(1), 0)).toThrow(LinkError);
});

test('an acknowledgement of what was never sent is a breach', () => {
  expect(() => new Link('ordered').receive(encodePacket({ ordered: 1, input: 0 }), 0)).toThrow(LinkError);
});
