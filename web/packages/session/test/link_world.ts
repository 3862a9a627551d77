// Two ends of a link and the paths between them, on a clock of its own.
import { Link, type PathKind } from '../src/link';
import { type Bytes } from '../src/wire/codec';
import { type Class } from '../src/wire/link';
import { Random } from './random';

export interface Weather {
  /** Per cent. */
  loss: number;
  twice: number;
  /** Milliseconds, at least and at most. */
  delay: [least: number, most: number];
}

interface Way {
  kind: PathKind;
  weather: Weather;
  /** It takes packets, and nothing arrives. */
  dead: boolean;
  /** Nothing overtakes on an ordered path. */
  free: [number, number];
}

interface Flying {
  packet: Bytes;
  path: number;
  to: 0 | 1;
  arrives: number;
}

export const STEADY: Weather = { loss: 0, twice: 0, delay: [10, 10] };

export class LinkWorld {
  now = 0;
  readonly ends: [Link, Link] = [new Link(), new Link()];
  readonly got: [Map<Class, Bytes[]>, Map<Class, Bytes[]>] = [new Map(), new Map()];
  /** Packets and bytes sent, by path. */
  readonly packets = new Map<number, number>();
  readonly bytes = new Map<number, number>();
  readonly ways = new Map<number, Way>();
  /** How many packets the network may hold of one end. */
  room = 1000;
  private flying: Flying[] = [];
  private last = 0;

  constructor(private readonly random: Random = new Random(1)) {}

  /** Both ends learn of a new path. */
  open(kind: PathKind, weather: Weather = STEADY): number {
    this.last += 1;
    const id = this.last;
    this.ways.set(id, { kind, weather, dead: false, free: [0, 0] });
    for (const end of this.ends) end.addPath(id, kind, this.now);
    this.flush();
    return id;
  }

  /** Both ends learn that it is gone; what was on its way is lost. */
  close(id: number): void {
    this.ways.delete(id);
    this.flying = this.flying.filter(({ path }) => path !== id);
    for (const end of this.ends) end.removePath(id);
    this.flush();
  }

  send(from: 0 | 1, of: Class, message: Bytes): void {
    this.ends[from].send(of, message);
    this.flush();
  }

  run(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (;;) {
      const next = Math.min(...this.flying.map(({ arrives }) => arrives), ...this.ends.map((link) => link.wakeAt ?? Infinity));
      if (!(next <= end)) break;
      this.now = Math.max(this.now, next);
      const arrived = this.flying.filter(({ arrives }) => arrives <= this.now);
      this.flying = this.flying.filter(({ arrives }) => arrives > this.now);
      for (const { packet, path, to } of arrived) {
        for (const { class: of, message } of this.ends[to].receive(path, packet, this.now)) {
          const list = this.got[to].get(of) ?? [];
          this.got[to].set(of, list);
          list.push(message.slice());
        }
      }
      this.flush();
    }
    this.now = end;
  }

  flush(): void {
    for (const side of [0, 1] as const) {
      const link = this.ends[side];
      const room = (): boolean => this.flying.filter(({ to }) => to !== side).length < this.room;
      for (let next = link.poll(this.now, room); next !== undefined; next = link.poll(this.now, room)) {
        this.fly(side, next.path, next.packet);
      }
    }
  }

  private fly(side: 0 | 1, path: number, packet: Bytes): void {
    this.packets.set(path, (this.packets.get(path) ?? 0) + 1);
    this.bytes.set(path, (this.bytes.get(path) ?? 0) + packet.length);
    const way = this.ways.get(path);
    if (way === undefined) throw new Error(`a packet for path ${path}, which is gone`);
    const { loss, twice, delay } = way.weather;
    if (way.dead || this.random.chance(loss)) return;
    const to = side === 0 ? 1 : 0;
    for (let copy = this.random.chance(twice) ? 2 : 1; copy > 0; copy -= 1) {
      let arrives = this.now + delay[0] + this.random.below(delay[1] - delay[0] + 1);
      if (way.kind === 'ordered') {
        arrives = Math.max(arrives, way.free[to]);
        way.free[to] = arrives;
      }
      this.flying.push({ packet, path, to, arrives });
    }
  }
}
