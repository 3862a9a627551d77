// Which of several paths is used: alike ones are not changed between, a better one is taken soon, a silent one left at once. The same
// rule as in core/link/tests/choice.rs.
import { expect, test } from 'vitest';
import { LinkWorld, type Weather } from './link_world';
import { Random } from './random';

const seeds = Array.from({ length: 12 }, (_, at) => at + 1);
const steady = (delay: number): Weather => ({ loss: 0, twice: 0, delay: [delay, delay] });

/** Somebody types meanwhile, a key every 150 ms; which path is used is noted with each. */
function type(world: LinkWorld, milliseconds: number): (number | undefined)[] {
  const used: (number | undefined)[] = [];
  for (let time = 0; time < milliseconds; time += 150) {
    world.send(0, 'input', Uint8Array.of(7));
    world.run(150);
    if (used.at(-1) !== world.ends[0].active) used.push(world.ends[0].active);
  }
  return used;
}

test.each(seeds)('seed %i: alike paths are not changed between', (seed) => {
  const random = new Random(seed);
  const [least, spread] = [1 + random.below(60), random.below(60)];
  const world = new LinkWorld(random);
  world.open('ordered', { ...steady(0), delay: [least, least + spread] });
  type(world, 5000);
  // What the relay costs its operator counts a quarter more and ten milliseconds, there and back.
  const delay: [number, number] = [Math.round(least * 1.25 + 5), Math.round((least + spread) * 1.25 + 5)];
  world.open('datagram', { loss: random.below(3), twice: 0, delay });
  expect(type(world, 600_000).length - 1).toBeLessThanOrEqual(6);
});

test.each(seeds)('seed %i: a really better path is taken within two seconds, and left within a second when it is silent', (seed) => {
  const random = new Random(seed);
  const delay = 10 + random.below(70);
  const world = new LinkWorld(random);
  const relay = world.open('ordered', { ...steady(0), delay: [delay, delay + delay / 4] });
  type(world, 20_000);
  const direct = world.open('datagram', { ...steady(0), delay: [delay / 2, delay / 2 + delay / 8] });
  world.run(2000);
  expect(world.ends[0].active).toBe(direct);
  type(world, 5000 + random.below(20_000));
  world.ways.get(direct)!.dead = true;
  type(world, 1200);
  expect(world.ends[0].active).toBe(relay);
  world.ways.get(direct)!.dead = false;
  type(world, 30_000);
  expect(world.ends[0].active).toBe(direct);
});

test('a path that has become much worse is left within three seconds', () => {
  const world = new LinkWorld();
  const relay = world.open('ordered', steady(20));
  type(world, 2000);
  const direct = world.open('datagram', steady(20));
  type(world, 40_000);
  expect(world.ends[0].active).toBe(direct);
  world.ways.get(direct)!.weather = steady(140);
  type(world, 3000);
  expect(world.ends[0].active).toBe(relay);
});
