// Hosts in network namespaces of their own, routers with address translation and firewall before them if wanted, and the
// emulated network (tests/line) that joins them. Everything is made here and gone with `close`.
//
//   server ──────────┐
//   technician ─(router)─┤ belay-line: one cable each, shaped while it runs
//   end user ───(router)─┘
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { must, until } from '../../web/e2e/stack/processes.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const LINE = join(resolve(ROOT, process.env.CARGO_TARGET_DIR ?? 'target'), 'release/belay-line');

/** The hosts' numbers in the networks of documentation (RFC 5737, RFC 3849). */
const NUMBERS = { server: 10, technician: 20, end_user: 30 };
const FAMILIES = {
  4: { public: (number) => `198.51.100.${number}`, length: 24, gateway: '198.51.100.1', inUrl: (address) => address },
  6: { public: (number) => `2001:db8::${number}`, length: 64, gateway: '2001:db8::1', inUrl: (address) => `[${address}]` },
};

/** The network behind a host's router. */
const home = (number) => `192.168.${number}`;

/** What a router does to the connections of the host behind it. */
export const NAT = {
  /** One public port for an inner one, wherever it sends: what most homes have. Strangers do not get in. */
  steady: 'masquerade',
  /** A new public port for each destination ("symmetric"). */
  symmetric: 'masquerade random,fully-random',
};

/** What a firewall lets out, besides answers. */
export const FIREWALL = {
  no_udp: 'meta l4proto udp drop; accept',
  only_https: 'tcp dport 443 accept; drop',
};

/** Why this machine cannot run the tests, or nothing. */
export function missing() {
  if (process.getuid() !== 0) return 'they need root, to make network namespaces; run them as root';
  for (const program of ['ip', 'nft']) {
    try { execFileSync(program, ['-V'], { stdio: 'ignore' }); } catch { return `they need the program ${program}; install what xtask/packages.txt lists`; }
  }
  if (!existsSync('/dev/net/tun')) return 'they need /dev/net/tun; load the kernel module tun';
  if (!existsSync(LINE)) return `they need ${LINE}; run cargo build --release -p belay-line`;
  const name = `belay-${process.pid}-probe`;
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' });
    execFileSync('ip', ['netns', 'exec', name, 'nft', '-f', '-'], { input: router({ nat: 'steady' }), stdio: 'pipe' });
  } catch (error) {
    return `they need network namespaces with nftables: ${error.stderr ?? error.message}`;
  } finally {
    try { execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' }); } catch { /* it was never made */ }
  }
  return undefined;
}

let labs = 0;
const made = new Set();

export class Lab {
  /**
   * `sides` says what stands before technician and end user: `{}` (nothing: the host itself is in the network), `{ nat: 'steady' }`,
   * `{ firewall: 'no_udp' }`, or both. `family` is 4 or 6.
   */
  static async open(folder, { technician = {}, end_user = {}, family = 4, seed = 1 } = {}) {
    const lab = new Lab();
    labs += 1;
    lab.name = `belay-${process.pid}-${labs}`;
    lab.short = `bl${process.pid}-${labs}`;
    lab.family = FAMILIES[family];
    lab.folder = folder;
    lab.spaces = [];
    lab.addresses = Object.fromEntries(Object.keys(NUMBERS).map((host) => [host, lab.family.public(NUMBERS[host])]));
    mkdirSync(folder, { recursive: true });
    made.add(lab);
    try {
      await lab.#lay({ server: {}, technician, end_user }, seed);
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  async #lay(sides, seed) {
    const hosts = Object.keys(sides);
    await this.#switchOn(hosts, seed);
    for (const [index, host] of hosts.entries()) {
      const side = sides[host];
      const inner = this.space(host);
      const outer = side.nat ? this.space(`${host}-router`) : inner;
      for (const space of new Set([inner, outer])) {
        this.spaces.push(space);
        await must('ip', ['netns', 'add', space]);
        await this.#ip(space, 'link set lo up');
      }
      await must('ip', ['link', 'set', 'dev', this.device(index), 'netns', outer, 'name', 'wan0']);
      await this.#public(outer, this.addresses[host]);
      if (side.nat) await this.#route(inner, outer, NUMBERS[host]);
      if (side.nat || side.firewall) await must('ip', ['netns', 'exec', outer, 'nft', '-f', '-'], { input: router(side) });
    }
  }

  /** The emulated network, with one device for each host. */
  async #switchOn(hosts, seed) {
    const words = ['--seed', String(seed), ...hosts.map((host, index) => `${host}=${this.device(index)}`)];
    this.line = spawn(LINE, words, { stdio: ['pipe', 'pipe', openSync(join(this.folder, 'line.log'), 'a')] });
    this.answers = [];
    createInterface({ input: this.line.stdout }).on('line', (line) => this.answers.push(line));
    await until('the emulated network', () => {
      if (this.line.exitCode !== null) throw new Error(`belay-line ended with ${this.line.exitCode}`);
      return this.answers.shift() === 'ready';
    });
  }

  /**
   * The address on the network. Nobody answers at the gateway: all of the network is this one. What is lost here stands for what the
   * internet loses, and there nobody is asked for the address of a neighbour: so the hosts ask often and do not give up.
   */
  async #public(space, address) {
    const asking = Object.entries({ mcast_solicit: 100, ucast_solicit: 100, retrans_time_ms: 50 });
    const lines = ['ipv4', 'ipv6'].flatMap((family) => asking.map(([name, value]) => `echo ${value} > /proc/sys/net/${family}/neigh/wan0/${name}`));
    await must('ip', ['netns', 'exec', space, 'sh', '-ec', lines.join('; ')]);
    await this.#ip(space, `addr add ${address}/${this.family.length} dev wan0${this.family === FAMILIES[6] ? ' nodad' : ''}`, 'link set wan0 up', `route add default via ${this.family.gateway} dev wan0`);
  }

  /** A home network behind the router (IPv4). */
  async #route(inner, outer, number) {
    const net = home(number);
    await must('ip', ['-n', inner, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'lan0', 'netns', outer]);
    await this.#ip(outer, `addr add ${net}.1/24 dev lan0`, 'link set lan0 up');
    await this.#ip(inner, `addr add ${net}.2/24 dev eth0`, 'link set eth0 up', `route add default via ${net}.1 dev eth0`);
    await must('ip', ['netns', 'exec', outer, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']);
  }

  #ip(space, ...lines) {
    return must('ip', ['-n', space, '-batch', '-'], { input: `${lines.join('\n')}\n` });
  }

  space(host) {
    return `${this.name}-${host.replace('_', '-')}`;
  }

  device(index) {
    return `${this.short}-${index}`;
  }

  /** Words to put in front of a command so that it runs on this host. */
  on(host) {
    return ['ip', 'netns', 'exec', this.space(host)];
  }

  /** A script that runs `command` on this host, for those who take only the name of a program. */
  script(host, command, more = '') {
    const file = join(this.folder, `${host}-${command.split('/').pop()}`);
    writeFileSync(file, `#!/bin/sh\nexec ${this.on(host).join(' ')} ${command} "$@" ${more}\n`, { mode: 0o700 });
    return file;
  }

  /** Changes a host's cable: `delay=40ms loss=2%`, see tests/line. Nothing: a perfect one. */
  async shape(host, words = '') {
    const answer = await this.#tell(`shape ${host} ${words}`);
    if (answer !== 'ok') throw new Error(answer);
  }

  async counts() {
    return JSON.parse(await this.#tell('counts'));
  }

  async #tell(line) {
    if (this.answers.length > 0) throw new Error(`an answer that nobody asked for: ${this.answers}`);
    this.line.stdin.write(`${line}\n`);
    return until('the emulated network to answer', () => this.answers.shift(), 5000, 3);
  }

  /** The host gets another address, as when a laptop changes from one network to the next: what was open with the old one is dead. */
  async move(host, number) {
    const before = this.addresses[host];
    const after = this.family.public(number);
    this.addresses[host] = after;
    await this.#ip(this.space(host), `addr del ${before}/${this.family.length} dev wan0`);
    await this.#public(this.space(host), after);
  }

  /** The server's address as in a URL. */
  get host() {
    return this.family.inUrl(this.addresses.server);
  }

  /**
   * Patterns for all addresses that there are here, also those that a host moves to. Chromium resolves the address of a peer's TCP
   * candidate as it does a name: a browser that may ask only for the server never calls the applet.
   */
  get anywhere() {
    return [this.family.public('*'), home('*')];
  }

  async close() {
    this.closeNow();
    await until('the end of the emulated network', () => !this.line || this.line.exitCode !== null || this.line.signalCode !== null);
  }

  /** As `close`, without waiting; the devices go with their program. */
  closeNow() {
    made.delete(this);
    this.line?.kill('SIGKILL');
    for (const space of this.spaces.splice(0)) {
      try { execFileSync('ip', ['netns', 'del', space], { stdio: 'ignore' }); } catch { /* it is gone already */ }
    }
  }
}

process.once('exit', () => { for (const lab of made) lab.closeNow(); });

/**
 * Rules for nft: what may go out, who may come in, and the translation.
 *
 * What strangers send to the router itself is dropped before the kernel remembers it: else it would hold the port that the host
 * behind has, and the translation would take another one, which no home router does. A host without a router of its own is not told
 * that its datagrams are not wanted: they get lost on the way, as they do where a network blocks them.
 */
function router({ nat, firewall }) {
  const out = firewall ? FIREWALL[firewall] : 'accept';
  const translated = nat ? `chain post { type nat hook postrouting priority 100; oifname "wan0" ${NAT[nat]}; }` : '';
  return `table inet belay {
    chain out { ct state established,related accept; meta l4proto { icmp, ipv6-icmp } accept; ${out}; }
    chain forward { type filter hook forward priority 0; policy drop; iifname "wan0" ct state established,related accept; iifname "lan0" jump out; }
    chain output { type filter hook output priority 0; policy accept; ${nat ? 'oifname "wan0" jump out;' : ''} }
    chain input { type filter hook input priority 0; policy accept; meta l4proto ipv6-icmp accept; ${nat ? 'iifname "wan0" ct state new drop;' : ''} ${!nat && firewall === 'no_udp' ? 'meta l4proto udp drop;' : ''} }
    ${translated}
  }\n`;
}
