// The link under loss, repetition, disorder and the death of paths, on a clock of its own.
import { describe, expect, test } from 'vitest';
import { Link, LinkError, MAX_AHEAD, MAX_UNACKNOWLEDGED } from '../src/link';
import { Ranges } from '../src/link/ranges';
import { type Bytes, WireError } from '../src/wire/codec';
import { type Class, decodePacket, encodePacket, type Piece } from '../src/wire/link';
import { LinkWorld, STEADY, type Weather } from './link_world';
import { Random } from './random';

const everywhere = (): boolean => true;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

/** A message with its number in front and something in it. */
function message(number: number, length: number): Bytes {
  const bytes = new Uint8Array(Math.max(length, 4));
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = (number + at * 7) & 255;
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

const same = (got: Bytes[] | undefined, said: Bytes[]): void => {
  expect(got?.length ?? 0).toBe(said.length);
  expect(said.findIndex((bytes, at) => Buffer.compare(bytes, got![at]!) !== 0)).toBe(-1);
};

function packets(link: Link, now: number, room = everywhere): { path: number; pieces: Piece[] }[] {
  const all = [];
  for (let next = link.poll(now, room); next !== undefined; next = link.poll(now, room)) {
    all.push({ path: next.path, pieces: decodePacket(next.packet) });
  }
  return all;
}

describe.each([1, 2, 3, 4])('seed %i', (seed) => {
  test('streams arrive once and in order over bad paths that come, die and come again', () => {
    const random = new Random(seed);
    const world = new LinkWorld(random);
    world.room = 40;
    const said: Record<0 | 1, Map<Class, Bytes[]>> = { 0: new Map(), 1: new Map() };
    const say = (from: 0 | 1, of: Class, length: number): void => {
      const list = said[from].get(of) ?? [];
      said[from].set(of, list);
      const bytes = message(list.length, length);
      list.push(bytes);
      world.send(from, of, bytes);
    };
    const weather = (): Weather => {
      const delay = random.below(80);
      return { loss: random.below(25), twice: random.below(20), delay: [delay, delay + random.below(60)] };
    };
    let relay: number | undefined = world.open('ordered');
    let direct: number | undefined;
    let [deaths, changes, before] = [0, 0, world.ends[0].active];
    for (let step = 0; step < 2000; step += 1) {
      const dice = random.below(1000);
      if (dice < 300) say(0, 'input', 4 + random.below(30));
      else if (dice < 450) say(random.chance(50) ? 0 : 1, 'ordered', 4 + random.below(5000));
      else if (dice < 500) say(1, 'screen', random.chance(10) ? random.below(300_000) : random.below(30_000));
      else if (dice < 600) say(1, 'cursor', 8);
      else if (dice < 650) say(0, 'seen', 8);
      else if (dice < 654) {
        deaths += 1;
        if (relay !== undefined) world.close(relay);
        relay = undefined;
      } else if (dice < 660) {
        relay ??= world.open('ordered', { ...STEADY, delay: [20, 60] });
      } else if (dice < 663) {
        deaths += 1;
        if (direct !== undefined) world.close(direct);
        direct = undefined;
      } else if (dice < 670) {
        direct ??= world.open('datagram', weather());
      } else if (dice < 673 && direct !== undefined) {
        // Nobody is told; after a while it may come back.
        world.ways.get(direct)!.dead = !world.ways.get(direct)!.dead;
      }
      if (random.chance(60)) world.run(random.below(40));
      if (world.ends[0].active !== before) changes += 1;
      before = world.ends[0].active;
    }
    if (relay === undefined) world.open('ordered');
    world.run(120_000);
    expect(deaths).toBeGreaterThan(5);
    expect(changes).toBeGreaterThan(1);
    for (const [from, of] of [[0, 'input'], [0, 'ordered'], [1, 'ordered'], [1, 'screen']] as const) {
      same(world.got[from === 0 ? 1 : 0].get(of), said[from].get(of)!);
    }
    for (const [from, of] of [[1, 'cursor'], [0, 'seen']] as const) {
      const got = world.got[from === 0 ? 1 : 0].get(of)!.map((bytes) => new DataView(bytes.buffer).getUint32(0));
      expect(got).toEqual([...new Set(got)].sort((a, b) => a - b));
      // The newest is not lost.
      expect(got.at(-1)).toBe(said[from].get(of)!.length - 1);
    }
    expect(world.ends.map((end) => [end.allArrived, end.hasMore, end.unacknowledged('ordered').length])).toEqual([
      [true, false, 0],
      [true, false, 0],
    ]);
  });

  test('a path that loses a quarter of everything delivers in the end', () => {
    const world = new LinkWorld(new Random(seed));
    world.open('datagram', { loss: 25, twice: 15, delay: [5, 60] });
    const said = numbers(300).map((at) => message(at, 4 + ((at * 37) % 3000)));
    for (const bytes of said) {
      world.send(0, 'ordered', bytes);
      world.send(0, 'input', bytes);
      world.run(3);
    }
    world.run(30_000);
    same(world.got[1].get('ordered'), said);
    same(world.got[1].get('input'), said);
  });
});

test('on the relay nothing is sent again, and an acknowledgement goes within 20 ms', () => {
  const world = new LinkWorld();
  const relay = world.open('ordered');
  world.run(4000);
  const before = world.packets.get(relay)!;
  world.send(0, 'input', message(1, 4));
  world.run(10 + 20 + 10);
  expect(world.ends[0].allArrived).toBe(true);
  world.run(700);
  expect(world.packets.get(relay)! - before).toBe(2);
});

test('an acknowledgement goes with a packet that goes anyway', () => {
  const world = new LinkWorld();
  const relay = world.open('ordered');
  world.run(4000);
  const before = world.packets.get(relay)!;
  world.send(0, 'ordered', message(1, 4));
  world.run(12);
  world.send(1, 'ordered', message(2, 4));
  world.run(200);
  // Two messages, and the acknowledgement of the second.
  expect(world.packets.get(relay)! - before).toBe(3);
});

test('a path is asked five times at 200 ms when it is new, then every five seconds', () => {
  const world = new LinkWorld();
  const relay = world.open('ordered');
  world.run(900);
  expect(world.packets.get(relay)).toBe(2 * 2 * 5);
  world.run(20_000);
  expect(world.packets.get(relay)).toBe(2 * 2 * 9);
});

test('the direct path is taken when it has answered three times, and left when it no longer answers', () => {
  const world = new LinkWorld();
  const relay = world.open('ordered', { ...STEADY, delay: [15, 15] });
  world.run(3000);
  const direct = world.open('datagram', { ...STEADY, delay: [10, 10] });
  world.run(300);
  expect(world.ends.map((end) => end.active)).toEqual([relay, relay]);
  world.run(200);
  expect(world.ends.map((end) => end.active)).toEqual([direct, direct]);
  world.ways.get(direct)!.dead = true;
  world.send(0, 'input', message(7, 4));
  world.run(3000);
  expect(world.ends[0].active).toBe(relay);
  same(world.got[1].get('input'), [message(7, 4)]);
  expect(world.ends[0].measured(direct, world.now)!.usable).toBe(false);
  world.ways.get(direct)!.dead = false;
  world.run(120_000);
  expect(world.ends.map((end) => end.active)).toEqual([direct, direct]);
});

test('one that is hardly better, or loses much, is not taken', () => {
  const world = new LinkWorld(new Random(3));
  const relay = world.open('ordered', { ...STEADY, delay: [10, 10] });
  world.run(3000);
  world.open('datagram', { ...STEADY, delay: [15, 15] });
  world.run(5000);
  expect(world.ends[0].active).toBe(relay);
  world.close(2);
  world.open('datagram', { loss: 30, twice: 0, delay: [9, 9] });
  world.run(600_000);
  expect(world.ends[0].active).toBe(relay);
});

test('the relay may die while a direct path carries everything', () => {
  const world = new LinkWorld();
  const relay = world.open('ordered', { ...STEADY, delay: [20, 20] });
  const direct = world.open('datagram');
  world.run(2000);
  expect(world.ends[0].active).toBe(direct);
  world.close(relay);
  world.send(1, 'screen', message(1, 200_000));
  world.run(2000);
  same(world.got[0].get('screen'), [message(1, 200_000)]);
  const again = world.open('ordered');
  world.close(direct);
  world.send(1, 'screen', message(2, 200_000));
  expect(world.ends[1].active).toBe(again);
  world.run(2000);
  same(world.got[0].get('screen'), [message(1, 200_000), message(2, 200_000)]);
});

test('pieces are large on the relay, and of one datagram where packets get lost', () => {
  const world = new LinkWorld(new Random(5));
  const relay = world.open('ordered', { ...STEADY, delay: [30, 30] });
  world.run(2000);
  const before = world.packets.get(relay)!;
  for (const at of numbers(3)) world.send(0, 'screen', message(at, 1 << 20));
  // Each call sends at once what fits: two pieces and the last bytes of each.
  expect(world.packets.get(relay)! - before).toBeLessThanOrEqual(9);
  world.run(2000);
  const direct = world.open('datagram', { loss: 5, twice: 0, delay: [1, 1] });
  world.run(1000);
  expect(world.ends[0].active).toBe(direct);
  for (let at = 3; at < 12; at += 1) {
    world.send(0, 'screen', message(at, 100_000));
    world.run(100);
  }
  const [count, bytes] = [world.packets.get(direct)!, world.bytes.get(direct)!];
  world.send(0, 'screen', message(12, 100_000));
  const sent = world.packets.get(direct)! - count;
  expect((world.bytes.get(direct)! - bytes) / sent).toBeLessThan(1200);
  expect(world.got[1].get('screen')!.length).toBeGreaterThan(10);
});

test('input and ordered go before the screen, which waits for room', () => {
  const link = new Link();
  link.addPath(1, 'ordered', 0);
  packets(link, 0);
  link.send('screen', message(0, 100));
  link.send('seen', message(1, 4));
  link.send('ordered', message(2, 10));
  link.send('input', message(3, 10));
  expect(packets(link, 1, () => false)).toEqual([]);
  expect(link.hasMore).toBe(true);
  const order = packets(link, 1).map(({ pieces }) => (pieces[0] as { class: Class }).class);
  expect(order).toEqual(['input', 'ordered', 'seen', 'screen']);
});

test('small messages that wait travel together', () => {
  const link = new Link();
  for (const at of numbers(100)) link.send('ordered', message(at, 20));
  link.addPath(1, 'ordered', 0);
  expect(packets(link, 0).filter(({ pieces }) => pieces.some(({ kind }) => kind === 'data'))).toHaveLength(1);
});

test('input does not wait behind a lost ordered message', () => {
  const [here, there] = [new Link(), new Link()];
  for (const end of [here, there]) end.addPath(1, 'ordered', 0);
  packets(here, 0);
  here.send('ordered', message(1, 4));
  here.poll(0, everywhere);
  here.send('input', message(2, 4));
  const { packet } = here.poll(0, everywhere)!;
  expect(there.receive(1, packet, 5).map(({ class: of }) => of)).toEqual(['input']);
});

test('without a path messages wait, of a state the newest', () => {
  const link = new Link();
  link.send('ordered', message(1, 4));
  link.send('cursor', message(2, 4));
  link.send('cursor', message(3, 4));
  expect([packets(link, 5), link.wakeAt]).toEqual([[], undefined]);
  expect(link.unacknowledged('ordered')).toEqual([message(1, 4)]);
  link.addPath(1, 'ordered', 10);
  const sent = packets(link, 10).flatMap(({ pieces }) => pieces);
  expect(sent.filter(({ kind }) => kind === 'state')).toEqual([{ kind: 'state', class: 'cursor', number: 1, message: message(3, 4) }]);
});

test('a new path carries at least a ping', () => {
  const link = new Link();
  link.addPath(1, 'ordered', 0);
  expect(packets(link, 0)).toEqual([{ path: 1, pieces: [{ kind: 'ping', number: 0 }] }]);
});

test('a ping is answered on the path on which it came', () => {
  const link = new Link();
  link.addPath(1, 'ordered', 0);
  link.addPath(2, 'datagram', 0);
  packets(link, 0);
  link.receive(2, encodePacket([{ kind: 'ping', number: 99 }]), 1);
  expect(packets(link, 1)).toEqual([{ path: 2, pieces: [{ kind: 'pong', number: 99 }] }]);
});

test('an acknowledgement lost on a datagram path comes again with the answer to a ping', () => {
  const [here, there] = [new Link(), new Link()];
  for (const end of [here, there]) end.addPath(1, 'ordered', 0);
  packets(here, 0);
  packets(there, 0);
  here.send('ordered', message(1, 4));
  there.receive(1, here.poll(1, everywhere)!.packet, 2);
  // Lost.
  packets(there, 50);
  expect(here.allArrived).toBe(false);
  there.receive(1, encodePacket([{ kind: 'ping', number: 1 }]), 60);
  here.receive(1, there.poll(60, everywhere)!.packet, 61);
  expect(here.allArrived).toBe(true);
});

test('what comes too early is held up to a limit, and what was there already is ignored', () => {
  const link = new Link();
  link.addPath(1, 'ordered', 0);
  packets(link, 0);
  const data = (offset: number, bytes: Bytes): number =>
    link.receive(1, encodePacket([{ kind: 'data', class: 'ordered', offset, bytes }]), 0).length;
  const stream = new Uint8Array(4 + 1000);
  new DataView(stream.buffer).setUint32(0, 1000);
  expect(data(MAX_AHEAD.ordered, Uint8Array.of(1))).toBe(0);
  expect(data(MAX_AHEAD.ordered - 1, Uint8Array.of(1, 2, 3))).toBe(0);
  expect(data(600, stream.subarray(600))).toBe(0);
  expect(data(600, stream.subarray(600))).toBe(0);
  expect(data(300, stream.subarray(300, 700))).toBe(0);
  expect(packets(link, 100)).toEqual([
    {
      path: 1,
      pieces: [
        { kind: 'ack', class: 'ordered', next: 0, ranges: [[300, 1004], [MAX_AHEAD.ordered - 1, MAX_AHEAD.ordered]] },
      ],
    },
  ]); // prettier-ignore
  expect(data(0, stream.subarray(0, 400))).toBe(1);
  expect(data(0, stream)).toBe(0);
});

test('of many gaps the acknowledgement names the newest and the highest', () => {
  const link = new Link();
  link.addPath(1, 'datagram', 0);
  link.receive(1, encodePacket([{ kind: 'pong', number: 0 }]), 0);
  packets(link, 0);
  link.receive(1, encodePacket([{ kind: 'pong', number: 0 }]), 1);
  for (let at = 20; at > 0; at -= 1) {
    link.receive(1, encodePacket([{ kind: 'data', class: 'input', offset: at * 10, bytes: Uint8Array.of(1) }]), 2);
  }
  const [ack] = packets(link, 2).flatMap(({ pieces }) => pieces);
  expect(ack).toMatchObject({ kind: 'ack', next: 0 });
  const ranges = (ack as { ranges: [number, number][] }).ranges;
  expect(ranges.map(([from]) => from)).toEqual([10, 140, 150, 160, 170, 180, 190, 200]);
});

test('on a datagram path gaps and every second packet are acknowledged at once', () => {
  const [here, there] = [new Link(), new Link()];
  for (const end of [here, there]) {
    end.addPath(1, 'datagram', 0);
    packets(end, 0);
    end.receive(1, encodePacket([{ kind: 'pong', number: 0 }]), 1);
  }
  const next = (): Bytes => {
    here.send('input', message(1, 4));
    return here.poll(2, everywhere)!.packet;
  };
  const [first, second, third, fourth] = [next(), next(), next(), next()];
  there.receive(1, first, 3);
  expect(packets(there, 3)).toEqual([]);
  there.receive(1, second, 3);
  expect(packets(there, 3)).toHaveLength(1);
  there.receive(1, fourth, 4);
  expect(packets(there, 4)).toHaveLength(1);
  there.receive(1, third, 5);
  expect(packets(there, 5)).toHaveLength(1);
});

test('a partner that never acknowledges makes the link fail, not the memory grow', () => {
  const link = new Link();
  const large = new Uint8Array(MAX_UNACKNOWLEDGED.input / 8 - 4);
  for (let count = 0; count < 8; count += 1) link.send('input', large);
  expect(() => link.send('input', Uint8Array.of(1))).toThrow(LinkError);
  link.send('ordered', Uint8Array.of(1));
});

test.each<[string, Piece[]]>([
  ['bytes', [{ kind: 'ack', class: 'ordered', next: 1, ranges: [] }]],
  ['bytes far ahead', [{ kind: 'ack', class: 'screen', next: 0, ranges: [[5, 9]] }]],
  ['a state', [{ kind: 'ack', class: 'seen', next: 1, ranges: [] }]],
])('an acknowledgement of %s never sent is a breach', (_, pieces) => {
  expect(() => new Link().receive(1, encodePacket(pieces), 0)).toThrow(LinkError);
});

test.each([0, (1 << 20) + 1])('a message of %i bytes is a breach', (length) => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, length);
  expect(() => new Link().receive(1, encodePacket([{ kind: 'data', class: 'screen', offset: 0, bytes }]), 0)).toThrow(WireError);
});

test('a whole message in one packet is not copied', () => {
  const bytes = new Uint8Array(104);
  new DataView(bytes.buffer).setUint32(0, 100);
  const packet = encodePacket([{ kind: 'data', class: 'screen', offset: 0, bytes }]);
  const [delivered] = new Link().receive(1, packet, 0);
  expect(delivered!.message.buffer).toBe(packet.buffer);
});

test.each([1, 2, 3])('seed %i: ranges are what a set of numbers is', (seed) => {
  const random = new Random(seed);
  const [ranges, set] = [new Ranges(), new Set<number>()];
  for (let step = 0; step < 5000; step += 1) {
    const from = random.below(200);
    const to = from + random.below(12);
    const every = numbers(to - from).map((at) => from + at);
    if (random.chance(55)) {
      ranges.add(from, to);
      for (const at of every) set.add(at);
    } else {
      ranges.remove(from, to);
      for (const at of every) set.delete(at);
    }
    expect(ranges.all.flatMap(([a, b]) => numbers(b - a).map((at) => a + at))).toEqual([...set].sort((a, b) => a - b));
    expect(ranges.all.every(([a, b], at) => a < b && (at === 0 || ranges.all[at - 1]![1] < a))).toBe(true);
    const [low, high] = [random.below(200), 0].map((at) => at) as [number, number];
    const top = Math.max(low + random.below(20), high);
    if (low < top) expect(ranges.has(low, top)).toBe(numbers(top - low).every((at) => set.has(low + at)));
    const gaps = ranges.gaps(low, top).flatMap(([a, b]) => numbers(b - a).map((at) => a + at));
    expect(gaps).toEqual(numbers(top - low).map((at) => low + at).filter((at) => !set.has(at))); // prettier-ignore
  }
});
